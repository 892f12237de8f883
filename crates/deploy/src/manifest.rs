//! The target `manifest`: the objects as a file, for GitOps and the local runner.

use std::path::{Path, PathBuf};

use model::publish::{self, PublishError};
use serde_json::Value;

/// The file in `/pfs/out`.
pub const MANIFEST_FILE: &str = "seldon-deployment.yaml";

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// An object cannot be written as YAML.
    #[error("cannot write the object as YAML: {0}")]
    Yaml(String),
    /// The file cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// The object's text: keys sorted, so that equal objects are equal bytes and a
/// difference between versions shows as the lines that differ.
///
/// # Errors
///
/// When a value has no YAML form.
pub fn to_yaml(object: &Value) -> Result<String, ManifestError> {
    let mut sorted = object.clone();
    sorted.sort_all_objects();
    serde_saphyr::to_string(&sorted).map_err(|e| ManifestError::Yaml(e.to_string()))
}

/// Publishes the object in the folder `out` and returns the file.
///
/// # Errors
///
/// When the folder cannot be written. Nothing has changed then.
pub fn write(out: &Path, object: &Value) -> Result<PathBuf, ManifestError> {
    let path = out.join(MANIFEST_FILE);
    publish::write_file(&path, to_yaml(object)?.as_bytes())?;
    Ok(path)
}
