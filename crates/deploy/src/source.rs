//! What deploy starts from: the output of train, or a version in a registry.

use std::path::Path;

use model::{InfoError, MODEL_INFO_FILE, ModelInfo, Package, PackageError, RegistryEntry};
use registry::Registry;
use storage::Access;

/// The directory of the package, beside `model-info.yaml`.
const PACKAGE_DIR: &str = "model";

/// The directory of a package that was not promoted.
const CANDIDATE_DIR: &str = "candidate";

/// The word for the version of a registry that was promoted last.
const LATEST: &str = "latest";

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
    /// There is a version, and it is not to be served.
    #[error(
        "train has promoted no version yet, so there is nothing to serve: candidate/report.html \
         shows the one that it has made, and its log says why that is not promoted"
    )]
    NothingPromoted,
    /// The version cannot be had from the registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// There is no place for the package.
    #[error("cannot create a temporary folder")]
    Scratch(#[source] std::io::Error),
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
    let path = input.join(MODEL_INFO_FILE);
    if !path.exists() && input.join(CANDIDATE_DIR).exists() {
        return Err(SourceError::NothingPromoted);
    }
    let mut info = ModelInfo::read(&path)?;
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

/// What `model`, `NAME` or `NAME:VERSION`, is in the registry at `url`; without a
/// version, the latest. Its package is fetched once and verified.
///
/// # Errors
///
/// When there is no such version, its package is damaged, or the registry is away.
pub async fn from_registry(url: &str, model: &str) -> Result<ModelInfo, SourceError> {
    let (name, asked) = model.split_once(':').unwrap_or((model, LATEST));
    let access = Access::from_variables(std::env::vars());
    let registry = Registry::open(url, &access).await?;
    let version = registry.find(name, &asked.parse()?).await?;
    let scratch = tempfile::tempdir().map_err(SourceError::Scratch)?;
    let folder = scratch.path().join(PACKAGE_DIR);
    registry.fetch(&version, &folder).await?;
    let found = Package::open_pinned(&folder, version.package)?.manifest;
    let provenance = found.provenance;
    let mut info = ModelInfo::new(
        found.name,
        found.version,
        provenance.pipeline,
        provenance.repo,
    );
    info.digest = Some(found.digest);
    info.data_commit = provenance.data_commit;
    info.metrics = found.metrics;
    info.registry = Some(RegistryEntry {
        url: registry.url().to_owned(),
        number: version.number,
        reason: version.promotion.reason,
    });
    Ok(info)
}
