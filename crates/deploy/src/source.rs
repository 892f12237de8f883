//! What deploy starts from: the output of train.

use std::path::Path;

use model::{InfoError, MODEL_INFO_FILE, ModelInfo, Package, PackageError};

/// The directory of the package, beside `model-info.yaml`.
const PACKAGE_DIR: &str = "model";

/// Why the output of train is not deployed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no valid `model-info.yaml`.
    #[error(transparent)]
    Info(#[from] InfoError),
    /// The package beside it is damaged or another one.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The package is whole but of another model version.
    #[error(
        "the package holds {package}, but {MODEL_INFO_FILE} names {info}: train wrote them in different runs"
    )]
    OtherVersion {
        /// Name and version in the package.
        package: String,
        /// Name and version in `model-info.yaml`.
        info: String,
    },
}

/// Reads `model-info.yaml` in `input` and verifies the package beside it, where
/// there is one; its digest is then part of the result also when the document
/// does not pin it.
///
/// # Errors
///
/// When the document is missing or invalid, or the package is damaged, is not
/// the one that the document pins, or holds another model version.
pub fn read(input: &Path) -> Result<ModelInfo, SourceError> {
    let mut info = ModelInfo::read(&input.join(MODEL_INFO_FILE))?;
    let dir = input.join(PACKAGE_DIR);
    if dir.symlink_metadata().is_err() {
        return Ok(info);
    }
    let package = match info.digest {
        Some(digest) => Package::open_pinned(&dir, digest)?,
        None => Package::open(&dir)?,
    };
    let found = &package.manifest;
    if (&found.name, &found.version) != (&info.name, &info.version) {
        return Err(SourceError::OtherVersion {
            package: format!("{} {}", found.name, found.version),
            info: format!("{} {}", info.name, info.version),
        });
    }
    info.digest = Some(found.digest);
    Ok(info)
}
