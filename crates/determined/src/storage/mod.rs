//! The files of a checkpoint, directly from where the cluster keeps them
//! (determined.md §7).

mod place;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ::storage::{Access, Service};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{GetResult, ObjectStore, ObjectStoreExt, PutPayload};
use tempfile::TempDir;
use tokio_stream::StreamExt;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::download::{publish, refuse_existing};
use crate::error::chain;
use crate::files::{Files, ReceiveError};
use crate::{Checkpoint, Client, Error};

pub(crate) use place::{Bucket, MOUNTED, Place};

/// Which way the files of a checkpoint come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CheckpointFrom {
    /// Through the master, and directly where the master cannot read the storage.
    #[default]
    Either,
    /// Through the master, which has the credentials.
    Master,
    /// Directly from the storage.
    Storage,
}

/// What opens the storages of checkpoints: credentials, endpoints and certificates
/// by the names that the clouds' own tools give them.
///
/// They weigh more than what an experiment's configuration says, in which the
/// master may have masked the secrets, and an endpoint may be that of a network
/// that this process is not in.
#[derive(Debug, Clone, Default)]
pub struct StorageAccess(Access);

/// A storage, and where the checkpoint is in it.
struct Opened {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    /// For errors.
    shown: String,
}

impl Client {
    /// As [`Client::download`], by the way of `from`.
    ///
    /// # Errors
    ///
    /// As [`Client::download`] and [`StorageAccess::download`]; when both ways
    /// fail, with both reasons.
    pub async fn download_from(
        &self,
        from: CheckpointFrom,
        access: &StorageAccess,
        checkpoint: &Checkpoint,
        target: &Path,
    ) -> Result<(), Error> {
        let through = match from {
            CheckpointFrom::Storage => return access.download(checkpoint, target).await,
            CheckpointFrom::Master => return self.download(checkpoint, target).await,
            // The master of no version can read it.
            CheckpointFrom::Either if place::is_azure(checkpoint) => {
                return access.download(checkpoint, target).await;
            }
            CheckpointFrom::Either => self.download(checkpoint, target).await,
        };
        // A storage that the master does not have, or a master before 0.28.
        let Err(refusal @ (Error::Refused(_) | Error::NotFound(_))) = through else {
            return through;
        };
        tracing::debug!("{refusal}; trying the storage itself");
        let direct = access.download(checkpoint, target).await;
        direct.map_err(|error| {
            let reason = format!("{refusal}; and directly: {}", chain(&error));
            Error::checkpoint(&checkpoint.uuid, reason)
        })
    }
}

impl StorageAccess {
    /// Keeps of `variables`, usually all of the environment, those of the clouds:
    /// `AWS_…`, `GOOGLE_…`, `AZURE_…` as the crate `object_store` reads them, and
    /// `AZURE_STORAGE_CONNECTION_STRING`; and `SSL_CERT_FILE`.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(Access::from_variables(variables))
    }

    /// The bucket, with the folder of the checkpoint `uuid`.
    async fn open(&self, Bucket { bucket, prefix }: &Bucket, uuid: &str) -> Result<Opened, Error> {
        let scheme = match bucket.service {
            Service::S3 { .. } => "s3",
            Service::Gcs => "gs",
            Service::Azure { .. } => "azure",
        };
        let shown = format!("{scheme}://{}/{prefix}{uuid}", bucket.name);
        let store = self.0.open(bucket).await;
        Ok(Opened {
            store: store.map_err(|error| match error {
                ::storage::Error::Tls(error) => error.into(),
                error => Error::storage(&shown, error),
            })?,
            prefix: format!("{prefix}{uuid}/"),
            shown,
        })
    }

    /// Downloads a checkpoint into the new directory `target`, directly from the
    /// storage that its experiment's configuration names: `shared_fs`, `directory`,
    /// `s3`, `gcs` or `azure`.
    ///
    /// Only the files that [`Checkpoint::resources`] lists are fetched, so nothing
    /// else of the storage can get into `target`; each must have its size. They are
    /// received beside `target`, and only then the directory appears.
    ///
    /// The configuration is not where the files are when the run was reported from
    /// outside the cluster: only the master knows that storage.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] when the storage cannot be read; [`Error::Checkpoint`] when
    /// the configuration names none, or a file is missing or has another size;
    /// [`Error::File`] when `target` exists or cannot be written.
    pub async fn download(&self, checkpoint: &Checkpoint, target: &Path) -> Result<(), Error> {
        refuse_existing(target)?;
        let files = Files::beside(target, checkpoint)?;
        let refuse = |reason: String| Error::checkpoint(&checkpoint.uuid, reason);
        let place = Place::of(checkpoint).map_err(refuse)?;
        let opened = match place {
            Place::Folders(folders) => first_folder(&folders, checkpoint),
            Place::Bucket(bucket) => self.open(&bucket, &checkpoint.uuid).await,
        }?;
        let aside = opened.fetch(checkpoint, files).await?;
        publish(aside, target)
    }
}

impl StorageAccess {
    /// Stores the files of the checkpoint `uuid` in a bucket.
    pub(crate) async fn upload(
        &self,
        bucket: &Bucket,
        uuid: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), Error> {
        let opened = self.open(bucket, uuid).await?;
        for (path, content) in files {
            let key = Key::parse(format!("{}{path}", opened.prefix));
            let key = key.map_err(|error| Error::storage(&opened.shown, error))?;
            let content = PutPayload::from(content.clone());
            let stored = opened.store.put(&key, content).await;
            stored.map_err(|error| Error::storage(&opened.shown, error))?;
        }
        Ok(())
    }
}

/// The first of `folders` that has the checkpoint.
fn first_folder(folders: &[String], checkpoint: &Checkpoint) -> Result<Opened, Error> {
    let uuid = &checkpoint.uuid;
    for folder in folders {
        let path = Path::new(folder).join(uuid);
        if path.is_dir() {
            refuse_links(&path, checkpoint)?;
            let store = LocalFileSystem::new_with_prefix(&path);
            let shown = path.display().to_string();
            let store = store.map_err(|error| Error::storage(&shown, error))?;
            return Ok(Opened {
                store: Arc::new(store),
                prefix: String::new(),
                shown,
            });
        }
    }
    let reason = format!(
        "there is no folder {uuid} in {}: mount the storage of the cluster there",
        folders.join(" nor in ")
    );
    Err(Error::checkpoint(uuid, reason))
}

/// Refuses a file that lies elsewhere than below `folder`: whoever may write there
/// must not get other files of this machine published.
fn refuse_links(folder: &Path, checkpoint: &Checkpoint) -> Result<(), Error> {
    let root = fs::canonicalize(folder).map_err(Error::file("read", folder))?;
    for path in checkpoint.resources.keys() {
        let elsewhere =
            fs::canonicalize(root.join(path)).is_ok_and(|real| !real.starts_with(&root));
        if elsewhere {
            let reason = format!("{path:?} is a link to outside of {}", folder.display());
            return Err(Error::checkpoint(&checkpoint.uuid, reason));
        }
    }
    Ok(())
}

impl Opened {
    async fn fetch(&self, checkpoint: &Checkpoint, mut files: Files) -> Result<TempDir, Error> {
        let refuse = |reason: String| Error::checkpoint(&checkpoint.uuid, reason);
        let told = |error| match error {
            ReceiveError::Connection(error) => Error::storage(&self.shown, error),
            ReceiveError::Content(reason) => refuse(reason),
            ReceiveError::File(error) => error,
        };
        for path in files.missing() {
            let key = Key::parse(format!("{}{path}", self.prefix));
            let key = key.map_err(|e| refuse(e.to_string()))?;
            let found = self.store.get(&key).await.map_err(|error| match error {
                object_store::Error::NotFound { .. } => {
                    refuse(format!("{} lacks {path:?}", self.shown))
                }
                error => Error::storage(&self.shown, error),
            })?;
            files = receive(files, path, found).await.map_err(told)?;
        }
        files.whole().map_err(told)
    }
}

/// Writes what was found as the file `path`.
async fn receive(mut files: Files, path: String, found: GetResult) -> Result<Files, ReceiveError> {
    let size = found.meta.size;
    let body = found.into_stream();
    let body = body.map(|chunk| chunk.map_err(io::Error::other));
    let reader = SyncIoBridge::new(StreamReader::new(body));
    let writing = tokio::task::spawn_blocking(move || {
        files.receive(&path, size, reader)?;
        Ok(files)
    });
    let panicked = |error| ReceiveError::Connection(io::Error::other(error));
    writing.await.map_err(panicked)?
}
