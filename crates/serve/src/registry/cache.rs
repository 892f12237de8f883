//! The folder that packages of the registry are kept in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use determined::{Checkpoint, CheckpointState, Client, ModelVersion};
use model::checkpoint::{self, Described, EXPORT_ADVICE};
use model::publish::PARTIAL_PREFIX;
use model::{Digest, GRAPH_FILE, Package, Provenance, TOKENIZER_FILE, write_package};
use registry::{Registry, Version};
use tempfile::Builder;
use tokio::task::spawn_blocking;

use super::Registered;

/// Whoever holds it may write to the folder.
const LOCK_FILE: &str = ".lock";

/// A folder with a package for each checkpoint, named after it; open to this
/// process alone while this lives.
pub(super) struct Cache {
    folder: PathBuf,
    /// Closed, it is unlocked.
    _lock: File,
}

impl Cache {
    /// Waits until no other process writes to `folder`, and removes what one that
    /// was killed has left there.
    pub(super) async fn at(folder: &Path) -> Result<Self> {
        let folder = folder.to_owned();
        let opened = spawn_blocking(move || {
            let opened = Self::open(&folder);
            opened.with_context(|| {
                format!(
                    "cannot use the folder {} for packages of the registry: mount an emptyDir \
                     there, or name a folder that can be written with --cache",
                    folder.display()
                )
            })
        });
        opened.await?
    }

    fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK_FILE))?;
        lock.lock()?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(PARTIAL_PREFIX)
            {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// The folder of the version's package, which is downloaded unless it is there.
    ///
    /// # Errors
    ///
    /// When the checkpoint holds nothing that can be served, and those of the
    /// download.
    pub(super) async fn package(
        self,
        client: &Client,
        found: &ModelVersion,
        registered: &Registered,
    ) -> Result<PathBuf> {
        let checkpoint = &found.checkpoint;
        let uuid = checkpoint.uuid.clone();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        ensure!(
            !uuid.is_empty() && uuid.chars().all(is_plain),
            "its checkpoint is named {uuid:?}, which is no UUID"
        );
        let target = self.folder.join(&uuid);
        if is_whole(target.clone(), None).await? {
            let folder = target.display().to_string();
            tracing::info!(folder, "already downloaded");
            return Ok(target);
        }
        check(checkpoint)?;
        let scratch = Builder::new()
            .prefix(PARTIAL_PREFIX)
            .tempdir_in(&self.folder)
            .with_context(|| format!("cannot write below {}", self.folder.display()))?;
        let received = scratch.path().join("received");
        client.download(checkpoint, &received).await?;
        let bytes: u64 = checkpoint.resources.values().sum();
        tracing::info!(bytes, "downloaded");
        let metrics = checkpoint.training.validation_metrics.finite();
        let registered = registered.clone();
        let packing = spawn_blocking(move || {
            let _kept = (self, scratch);
            let packed = pack(&received, &target, metrics, &registered);
            packed.with_context(|| format!("its checkpoint {uuid} cannot be served"))?;
            anyhow::Ok(target)
        });
        packing.await?
    }
}

impl Cache {
    /// The folder of the version's package, named after its digest, which is
    /// downloaded unless it is there.
    ///
    /// # Errors
    ///
    /// Those of the download.
    pub(super) async fn version(self, registry: &Registry, found: &Version) -> Result<PathBuf> {
        let digest = found.package.to_string();
        let target = self.folder.join(digest.replace(':', "-"));
        let folder = target.display().to_string();
        if is_whole(target.clone(), Some(found.package)).await? {
            tracing::info!(folder, "already downloaded");
        } else {
            registry.fetch(found, &target).await?;
            let bytes: u64 = found.files.values().map(|entry| entry.size).sum();
            tracing::info!(bytes, "downloaded");
        }
        Ok(target)
    }
}

/// Refuses what is not worth a download.
fn check(checkpoint: &Checkpoint) -> Result<()> {
    let Checkpoint { uuid, state, .. } = checkpoint;
    ensure!(
        *state == CheckpointState::Completed,
        "its checkpoint {uuid} is {state}, so there is nothing to serve"
    );
    ensure!(
        checkpoint.resources.contains_key(GRAPH_FILE),
        "its checkpoint {uuid} holds no {GRAPH_FILE}; {EXPORT_ADVICE}"
    );
    Ok(())
}

/// Whether a package lies there, the one with this digest if one is given. Another or
/// a damaged one is removed.
async fn is_whole(folder: PathBuf, digest: Option<Digest>) -> Result<bool> {
    let looking = spawn_blocking(move || {
        if !folder.exists() {
            return Ok(false);
        }
        let opened = match digest {
            Some(digest) => Package::open_pinned(&folder, digest),
            None => Package::open(&folder),
        };
        let Err(error) = opened else {
            return Ok(true);
        };
        tracing::warn!("{error}; downloading it again");
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
        anyhow::Ok(false)
    });
    looking.await?
}

/// Makes the package at `target` of what was received.
fn pack(
    received: &Path,
    target: &Path,
    metrics: BTreeMap<String, f64>,
    registered: &Registered,
) -> Result<()> {
    if checkpoint::holds_package(received)? {
        Package::open(received)?;
        return fs::rename(received, target)
            .with_context(|| format!("cannot rename into {}", target.display()));
    }
    let described = checkpoint::read(received)?;
    let provenance = Provenance {
        config: serde_json::to_value(&registered.notes)?,
        trained_by: "an experiment of a Determined cluster".to_owned(),
        ..Provenance::default()
    };
    let (name, version) = (&registered.model, &registered.version);
    let manifest = described.manifest(name, version, metrics, provenance);
    let Described {
        graph, tokenizer, ..
    } = described;
    let tokenizer = tokenizer.map(|file| (TOKENIZER_FILE.to_owned(), file));
    let files = [(GRAPH_FILE.to_owned(), graph)].into_iter();
    write_package(target, manifest, &files.chain(tokenizer).collect())?;
    Ok(())
}
