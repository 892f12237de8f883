//! The description of a model on a backbone.

use std::collections::BTreeMap;

use anyhow::Result;
use backbone::Joined;
use model::{BackboneOrigin, Digest, Manifest, Provenance, Task};

use super::Outcome;
use crate::job::TRAINED_BY;

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
            repo: job.repo.clone(),
            pipeline: job.pipeline.clone(),
            data_commit: job.data_commit.clone(),
            data: examples.files.clone(),
            config: serde_json::to_value(outcome.experiment)?,
            backbone: Some(BackboneOrigin {
                name: description.name.clone(),
                digest: outcome.backbone.digest,
                licence: description.licence.as_ref().map(|l| l.weights.clone()),
            }),
            trained_by: TRAINED_BY.to_owned(),
        },
        // `write_package` fills in the rest.
        format: String::new(),
        format_version: 0,
        digest: Digest::of(&[]),
        files: BTreeMap::new(),
    })
}
