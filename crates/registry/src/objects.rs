//! The objects of a registry.

use std::fmt;
use std::sync::Arc;

use futures::TryStreamExt as _;
use model::Digest;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use storage::{Access, Place};

use crate::{Error, Version};

/// Below a model: the folder of each package, and the records.
const PACKAGES: &str = "packages";
const VERSIONS: &str = "versions";

/// What the record of a version is named after: the number in so many digits, so that
/// the names are in its order.
const DIGITS: usize = 8;
const EXTENSION: &str = ".json";

/// A registry in an object store. See the [crate's page](crate) for an example.
#[derive(Clone)]
pub struct Registry {
    store: Arc<dyn ObjectStore>,
    root: Key,
    url: String,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.url).finish()
    }
}

/// The URL of a registry as it may be shown, without asking the store.
///
/// # Errors
///
/// When it is none, or holds credentials.
pub fn checked_url(url: &str) -> Result<String, Error> {
    place_of(url).map(|(_, shown)| shown)
}

fn place_of(url: &str) -> Result<(Place, String), Error> {
    Place::parse(url).map_err(|error| Error::Url {
        reason: error.to_string(),
    })
}

impl Registry {
    /// The registry at `url`: `file:///FOLDER`, `s3://BUCKET/FOLDER`,
    /// `gs://BUCKET/FOLDER` or `az://CONTAINER/FOLDER`, with the credentials of
    /// `access`.
    ///
    /// # Errors
    ///
    /// When the URL is wrong or holds credentials, a folder is not there, or a setting
    /// of the store is missing.
    pub async fn open(url: &str, access: &Access) -> Result<Self, Error> {
        let (place, url) = place_of(url)?;
        let open = |reason: String| Error::Open {
            registry: url.clone(),
            reason,
        };
        let (store, root): (Arc<dyn ObjectStore>, Key) = match place {
            Place::Folder(folder) if !folder.is_dir() => {
                let folder = folder.display();
                return Err(open(format!(
                    "there is no folder {folder}: mount it, or make it with mkdir -p {folder}"
                )));
            }
            Place::Folder(folder) => {
                let store = LocalFileSystem::new_with_prefix(&folder);
                let store = store.map_err(|error| open(error.to_string()))?;
                (Arc::new(store.with_fsync(true)), Key::default())
            }
            Place::Bucket(bucket, root) => {
                let store = access.open(&bucket).await;
                (store.map_err(|error| open(error.to_string()))?, root)
            }
        };
        Ok(Self { store, root, url })
    }

    /// The URL, without credentials.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The object at `parts` below the registry.
    pub(crate) fn key(&self, parts: &[&str]) -> Key {
        let root = self.root.clone();
        parts.iter().fold(root, |key, part| key.join(*part))
    }

    /// A file of a package.
    pub(crate) fn file_key(&self, model: &str, package: Digest, file: &str) -> Key {
        let digest = package.to_string();
        let (_, hex) = digest.split_once(':').unwrap_or(("", &digest));
        self.key(&[model, PACKAGES, hex, file])
    }

    fn record_key(&self, model: &str, number: u64) -> Key {
        self.key(&[model, VERSIONS, &format!("{number:0DIGITS$}{EXTENSION}")])
    }

    /// The URL of an object.
    pub(crate) fn shown(&self, key: &Key) -> String {
        let below = key.as_ref().strip_prefix(self.root.as_ref());
        let below = below.unwrap_or(key.as_ref()).trim_start_matches('/');
        format!("{}/{below}", self.url)
    }

    /// The content of an object; none where there is none.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        let refuse = |error| Error::store("read", self.shown(key), &error);
        match self.store.get(key).await {
            Ok(found) => {
                let bytes = found.bytes().await.map_err(refuse)?;
                Ok(Some(bytes.into()))
            }
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(refuse(error)),
        }
    }

    /// Writes an object unless there is one; gives whether it was written.
    pub(crate) async fn create(&self, key: &Key, content: Vec<u8>) -> Result<bool, Error> {
        let payload = PutPayload::from(content);
        let written = self.store.put_opts(key, payload, PutMode::Create.into());
        match written.await {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(Error::store("write", self.shown(key), &error)),
        }
    }

    /// Writes the record of a version unless there is one of its number; gives whether
    /// it was written.
    pub(crate) async fn create_record(&self, version: &Version) -> Result<bool, Error> {
        let key = self.record_key(&version.model, version.number);
        let text = version.seal().map_err(|error| Error::Damaged {
            place: self.shown(&key),
            reason: error.to_string(),
        })?;
        self.create(&key, text).await
    }

    /// The record of a version; none where there is none.
    pub(crate) async fn record(&self, model: &str, number: u64) -> Result<Option<Version>, Error> {
        let key = self.record_key(model, number);
        let Some(text) = self.get(&key).await? else {
            return Ok(None);
        };
        Version::open(&text, model, number, &self.shown(&key)).map(Some)
    }

    /// The version of `model` with this number, which is known to be there.
    ///
    /// # Errors
    ///
    /// When its record is missing or damaged, and those of the store.
    pub async fn version(&self, model: &str, number: u64) -> Result<Version, Error> {
        let found = self.record(model, number).await?;
        found.ok_or_else(|| Error::Damaged {
            place: self.shown(&self.record_key(model, number)),
            reason: "it is missing: records must not be removed".to_owned(),
        })
    }

    /// The numbers of a model's versions, ascending.
    pub(crate) async fn numbers(&self, model: &str) -> Result<Vec<u64>, Error> {
        let folder = self.key(&[model, VERSIONS]);
        let names = self.store.list(Some(&folder));
        let names: Vec<_> = names
            .map_ok(|found| found.location)
            .try_collect()
            .await
            .map_err(|error| Error::store("list", self.shown(&folder), &error))?;
        let number = |key: &Key| {
            let name = key.filename()?.strip_suffix(EXTENSION)?;
            name.parse().ok().filter(|_| name.len() == DIGITS)
        };
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The models that are there, ascending.
    ///
    /// # Errors
    ///
    /// When the store cannot be listed.
    pub async fn models(&self) -> Result<Vec<String>, Error> {
        let listed = self.store.list_with_delimiter(Some(&self.root)).await;
        let listed = listed.map_err(|error| Error::store("list", self.url.clone(), &error))?;
        let names = listed.common_prefixes.iter();
        let mut names: Vec<String> = names
            .filter_map(|key| key.filename().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }
}
