//! What people want to know of a model besides what it takes and gives.

use std::collections::BTreeMap;

use model::BackboneOrigin;
use serde::Serialize;

/// How good a model is, and where it comes from.
#[derive(Debug, Serialize)]
pub(crate) struct About {
    /// Held-out metrics by name.
    metrics: BTreeMap<String, f64>,
    provenance: Provenance,
}

/// That of the package without what can be large: the digest of each data file,
/// and the experiment's configuration.
#[derive(Debug, Serialize)]
struct Provenance {
    repo: String,
    pipeline: String,
    data_commit: Option<String>,
    data_files: usize,
    backbone: Option<BackboneOrigin>,
    trained_by: String,
}

impl About {
    /// From the description of a package.
    pub(super) fn new(metrics: BTreeMap<String, f64>, of: model::Provenance) -> Self {
        Self {
            metrics,
            provenance: Provenance {
                data_files: of.data_file_count(),
                repo: of.repo,
                pipeline: of.pipeline,
                data_commit: of.data_commit,
                backbone: of.backbone,
                trained_by: of.trained_by,
            },
        }
    }
}
