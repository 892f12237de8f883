//! The description of a model on a backbone.

use std::collections::BTreeMap;

use anyhow::Result;
use backbone::{Backbone, Joined};
use model::{BackboneOrigin, Digest, Manifest, Provenance, Task};

use super::Outcome;

/// What the package says of itself.
pub(super) fn manifest(outcome: &Outcome<'_>, joined: &Joined) -> Result<Manifest> {
    let (job, description) = (outcome.job, &outcome.backbone.description);
    let examples = outcome.examples;
    Ok(Manifest {
        name: job.model.clone(),
        version: job.version.clone(),
        task: Task::Classification,
        target: examples.target_name.clone(),
        labels: examples.labels.clone(),
        inputs: description.inputs.clone(),
        outputs: joined.outputs.clone(),
        preprocessing: description.preprocessing.clone(),
        metrics: outcome.metrics.summary(),
        provenance: Provenance {
            backbone: Some(origin(outcome.backbone)),
            engine: Some(outcome.engine.to_owned()),
            ..job.provenance(&examples.files, outcome.experiment)?
        },
        // `write_package` fills in the rest.
        format: String::new(),
        format_version: 0,
        digest: Digest::of(&[]),
        files: BTreeMap::new(),
    })
}

/// What provenance says of a backbone.
pub(super) fn origin(backbone: &Backbone) -> BackboneOrigin {
    let description = &backbone.description;
    BackboneOrigin {
        name: description.name.clone(),
        digest: backbone.digest,
        licence: description.licence.as_ref().map(|l| l.weights.clone()),
    }
}
