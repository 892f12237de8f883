//! Publication: the files first, the record last.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use model::{Digest, FileEntry, MANIFEST_FILE, Manifest, Package, PackageError};
use tokio::task::spawn_blocking;

use crate::{Condition, Error, Promotion, Registry, Version, is_name};

/// Says of a folder that it is a registry. Its writing also tells whether the store
/// can write what is not there and nothing else.
const MARKER: &str = "registry.json";
const MARKER_TEXT: &str = "{\"format\": \"pachyderm-seldon/registry\", \"format_version\": 1}\n";

/// What came of a publication.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The version, as it stands in the registry.
    pub version: Version,
    /// Whether it was there before.
    pub existed: bool,
}

impl Registry {
    /// Publishes the package in `folder` as a version of its model, and promotes it if
    /// `condition` holds against the latest one; without a condition, always. The same
    /// package is the same version, however often it is published: a retry goes on
    /// where a process that was killed has ended.
    ///
    /// # Errors
    ///
    /// When the package is not whole, its version's name is taken by another package,
    /// the store is away, refuses, or does not know conditional writes. No version is
    /// then visible that was not before, or the one whose answer got lost, whole.
    pub async fn publish(
        &self,
        folder: &Path,
        condition: Option<&Condition>,
    ) -> Result<Published, Error> {
        let manifest = opened(folder).await?;
        for name in [&manifest.name, &manifest.version] {
            if !is_name(name) {
                return Err(Error::Name(name.clone()));
            }
        }
        let (existing, mut head) = self.look(&manifest).await?;
        if let Some(version) = existing {
            let existed = true;
            return Ok(Published { version, existed });
        }
        self.check_store().await?;
        let mut candidate = Version {
            files: self.upload(folder, &manifest).await?,
            model: manifest.name,
            number: 0,
            name: manifest.version,
            package: manifest.digest,
            metrics: finite(manifest.metrics),
            promotion: Promotion {
                promoted: false,
                promote_if: None,
                reason: String::new(),
            },
            latest: None,
        };
        loop {
            self.decide(&mut candidate, head.as_ref(), condition)
                .await?;
            let (existed, there) = match self.create_record(&candidate).await {
                Ok(true) => (false, candidate.clone()),
                Ok(false) => {
                    let number = candidate.number;
                    (true, self.version(&candidate.model, number).await?)
                }
                // The answer may have been lost on the way back.
                Err(error) => match self.record(&candidate.model, candidate.number).await {
                    Ok(Some(there)) => (there != candidate, there),
                    _ => return Err(error),
                },
            };
            if there.package == candidate.package {
                let version = there;
                return Ok(Published { version, existed });
            }
            refuse_name(&there, &candidate.name, candidate.package)?;
            head = Some(there);
        }
    }

    /// The version that is this package, if there is one, and the last of all.
    async fn look(&self, manifest: &Manifest) -> Result<(Option<Version>, Option<Version>), Error> {
        let numbers = self.numbers(&manifest.name).await?;
        let mut head = None;
        let mut records = std::pin::pin!(self.newest_first(&manifest.name, &numbers));
        while let Some(version) = records.try_next().await? {
            if version.package == manifest.digest {
                return Ok((Some(version), head));
            }
            refuse_name(&version, &manifest.version, manifest.digest)?;
            head.get_or_insert(version);
        }
        Ok((None, head))
    }

    /// Makes `candidate` the version after `head`.
    async fn decide(
        &self,
        candidate: &mut Version,
        head: Option<&Version>,
        condition: Option<&Condition>,
    ) -> Result<(), Error> {
        let latest = head.and_then(|head| head.latest);
        let previous = match (head, latest) {
            (Some(head), Some(number)) if head.number == number => Some(head.clone()),
            (_, Some(number)) => Some(self.version(&candidate.model, number).await?),
            (_, None) => None,
        };
        candidate.number = head.map_or(1, |head| head.number.saturating_add(1));
        candidate.promotion = Condition::decide(condition, &candidate.metrics, previous.as_ref());
        candidate.latest = match candidate.promotion.promoted {
            true => Some(candidate.number),
            false => latest,
        };
        Ok(())
    }

    /// Refuses a store that overwrites what is to be written only where nothing is.
    async fn check_store(&self) -> Result<(), Error> {
        let marker = self.key(&[MARKER]);
        let write = async || self.create(&marker, MARKER_TEXT.as_bytes().to_vec()).await;
        // The first may be the one that makes it.
        if write().await? && write().await? {
            return Err(Error::NoConditions(self.url().to_owned()));
        }
        Ok(())
    }

    /// Writes the files of the package that are not there yet.
    async fn upload(
        &self,
        folder: &Path,
        manifest: &Manifest,
    ) -> Result<BTreeMap<String, FileEntry>, Error> {
        let mut files = BTreeMap::new();
        let names = manifest.files.keys().map(String::as_str);
        for name in names.chain([MANIFEST_FILE]) {
            let content = read(folder.join(name)).await?;
            let entry = FileEntry {
                size: content.len() as u64,
                digest: Digest::of(&content),
            };
            let key = self.file_key(&manifest.name, manifest.digest, name);
            if !self.create(&key, content).await? {
                // Of an attempt that was killed, or of another that publishes the same.
                self.verified(&key, &entry).await?;
            }
            files.insert(name.to_owned(), entry);
        }
        Ok(files)
    }
}

fn refuse_name(there: &Version, name: &str, package: Digest) -> Result<(), Error> {
    if there.name != name {
        return Ok(());
    }
    Err(Error::NameTaken {
        model: there.model.clone(),
        number: there.number,
        name: name.to_owned(),
        there: there.package,
        package,
    })
}

/// JSON has no other numbers.
fn finite(metrics: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let metrics = metrics.into_iter();
    metrics.filter(|(_, value)| value.is_finite()).collect()
}

/// The description of the package in `folder`, every file of which is verified.
async fn opened(folder: &Path) -> Result<Manifest, Error> {
    let path = folder.to_owned();
    let opening = spawn_blocking(move || Package::open(&path).map(|package| package.manifest));
    Ok(opening.await.map_err(|error| ended(folder, error))??)
}

async fn read(path: PathBuf) -> Result<Vec<u8>, Error> {
    let place = path.clone();
    let reading = spawn_blocking(move || fs::read(&path)).await;
    let content = reading.map_err(|error| ended(&place, error))?;
    content.map_err(|source| {
        Error::Package(PackageError::Read {
            path: place,
            source,
        })
    })
}

/// A thread that ended early, which happens at the end of the process.
fn ended(path: &Path, error: tokio::task::JoinError) -> Error {
    Error::Package(PackageError::Read {
        path: path.to_owned(),
        source: std::io::Error::other(error),
    })
}
