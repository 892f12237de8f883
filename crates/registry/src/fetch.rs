//! The files of a version.

use std::path::{Component, Path};

use model::publish::Staging;
use model::{Digest, FileEntry};
use object_store::path::Path as Key;

use crate::{Error, Registry, Version};

impl Registry {
    /// Makes the new folder `target` with the package of `version`. Each file must
    /// have the digest of the version's record; the folder appears whole or not at all.
    ///
    /// # Errors
    ///
    /// When a file is missing or damaged, the store is away, or `target` exists or
    /// cannot be written.
    pub async fn fetch(&self, version: &Version, target: &Path) -> Result<(), Error> {
        self.fetch_some(version, target, |_| true).await
    }

    /// As [`Self::fetch`], with the files that are `wanted` by name.
    ///
    /// # Errors
    ///
    /// As [`Self::fetch`].
    pub async fn fetch_some(
        &self,
        version: &Version,
        target: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let staging = Staging::new(target)?;
        for (name, entry) in version.files.iter().filter(|(name, _)| wanted(name)) {
            let key = self.file_key(&version.model, version.package, name);
            let mut parts = Path::new(name).components();
            let first = parts.next();
            if !matches!((first, parts.next()), (Some(Component::Normal(_)), None)) {
                return Err(Error::Damaged {
                    place: self.shown(&key),
                    reason: "it is no plain file name".to_owned(),
                });
            }
            staging.write(name, &self.verified(&key, entry).await?)?;
        }
        Ok(staging.publish()?)
    }

    /// The content of a file, which must be the one that was published.
    pub(crate) async fn verified(&self, key: &Key, entry: &FileEntry) -> Result<Vec<u8>, Error> {
        let damaged = |what: String| Error::Damaged {
            place: self.shown(key),
            reason: format!(
                "{what}; put the published file there again, from a backup or the output of train"
            ),
        };
        let Some(content) = self.get(key).await? else {
            return Err(damaged("it is missing".to_owned()));
        };
        let size = content.len() as u64;
        if size != entry.size {
            return Err(damaged(format!(
                "it has {size} bytes, expected {}",
                entry.size
            )));
        }
        let found = Digest::of(&content);
        if found != entry.digest {
            let expected = entry.digest;
            return Err(damaged(format!(
                "its digest is {found}, expected {expected}"
            )));
        }
        Ok(content)
    }
}
