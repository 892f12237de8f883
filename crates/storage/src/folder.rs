//! Reading the objects of a folder.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _};

use crate::{Access, Error, Place, told};

/// A folder in a store, which is read.
#[derive(Debug)]
pub struct Folder {
    store: Arc<dyn ObjectStore>,
    root: Key,
    url: String,
}

impl Folder {
    /// The folder at `url`, as [`Place::parse`] takes it, with the credentials of
    /// `access`.
    ///
    /// # Errors
    ///
    /// When the URL is wrong or holds credentials, a folder is not there, or a setting
    /// of the store is missing.
    pub async fn open(url: &str, access: &Access) -> Result<Self, Error> {
        let (place, url) = Place::parse(url)?;
        let (store, root): (Arc<dyn ObjectStore>, Key) = match place {
            Place::Folder(folder) => {
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(Error::Store)?;
                (Arc::new(store), Key::default())
            }
            Place::Bucket(bucket, root) => (access.open(&bucket).await?, root),
        };
        Ok(Self { store, root, url })
    }

    /// The URL of the object called `name`.
    pub fn shown(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// The content of the object called `name`, of at most `most` bytes; none where
    /// there is none.
    ///
    /// # Errors
    ///
    /// When the store is away or lets nobody in, or the object is larger.
    pub async fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let refuse = |error: StoreError| Error::Read {
            place: self.shown(name),
            reason: told(&error),
        };
        let too_large = |size: u64| Error::TooLarge {
            place: self.shown(name),
            size,
            most,
        };
        let found = match self.store.get(&self.root.clone().join(name)).await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(refuse(error)),
        };
        if found.meta.size > most {
            return Err(too_large(found.meta.size));
        }
        let mut content = Vec::new();
        let mut parts = found.into_stream();
        while let Some(part) = parts.try_next().await.map_err(refuse)? {
            content.extend_from_slice(&part);
            // What a store says of the size need not be true.
            let size = content.len() as u64;
            if size > most {
                return Err(too_large(size));
            }
        }
        Ok(Some(content))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bucket_server::{Answer, Bucket};

    use super::*;

    #[tokio::test]
    async fn objects_are_read_up_to_a_size() {
        let objects = [("/nets/eff/a.json", b"{}".to_vec())];
        let objects = objects.map(|(path, content)| (path.to_owned(), content));
        let bucket = Bucket::start(BTreeMap::from(objects));
        for (scheme, variables) in bucket.clouds() {
            let access = Access::from_variables(variables);
            let url = format!("{scheme}://nets/eff/");
            let folder = Folder::open(&url, &access).await.unwrap();
            let found = folder.read("a.json", 2).await.unwrap();
            assert_eq!(found.as_deref(), Some(&b"{}"[..]), "{scheme}");
            assert_eq!(folder.read("b.json", 2).await.unwrap(), None, "{scheme}");
            let error = folder.read("a.json", 1).await.unwrap_err().to_string();
            let expected = "nets/eff/a.json has 2 bytes, and 1 at most are read";
            assert_eq!(error, format!("{scheme}://{expected}"));
        }
    }

    #[tokio::test]
    async fn a_refusal_names_the_object_and_no_secret() {
        let bucket = Bucket::start(BTreeMap::new());
        bucket.answer("/nets/eff/a.json", Answer::Status(403));
        for (scheme, variables) in bucket.clouds() {
            let access = Access::from_variables(variables);
            let url = format!("{scheme}://nets/eff");
            let folder = Folder::open(&url, &access).await.unwrap();
            let error = folder.read("a.json", 9).await.unwrap_err().to_string();
            let start = format!("cannot read {scheme}://nets/eff/a.json: ");
            assert!(error.starts_with(&start), "{error}");
            assert!(
                error.contains("403") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn folders_of_the_file_system_are_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "x").unwrap();
        let url = format!("file://{}", dir.path().display());
        let folder = Folder::open(&url, &Access::default()).await.unwrap();
        assert_eq!(folder.read("a", 1).await.unwrap(), Some(b"x".to_vec()));
        assert_eq!(folder.read("b", 1).await.unwrap(), None);
    }
}
