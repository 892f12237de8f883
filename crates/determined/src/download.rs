//! The files of a checkpoint, through the master.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;
use tokio_stream::StreamExt;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::call::Call;
use crate::files::{Files, ReceiveError};
use crate::unpack::unpack;
use crate::{Checkpoint, Client, Error};

/// How often a download that was cut is started again.
const ATTEMPTS: u32 = 3;

impl Client {
    /// Downloads a checkpoint into the new directory `target`, through the master
    /// (0.28 or later; from the storages s3, gcs, shared_fs and directory, the
    /// last two only when mounted there).
    ///
    /// The files are received beside `target` and compared, each with its size,
    /// with [`Checkpoint::resources`]; only then the directory appears. An
    /// archive that holds anything but the listed files is refused: other files,
    /// links, absolute paths, `..`. A transfer that was cut is repeated.
    ///
    /// # Errors
    ///
    /// [`Error::Checkpoint`] when the archive is not the checkpoint;
    /// [`Error::Refused`] when the master cannot read the storage (azure);
    /// [`Error::File`] when `target` exists or cannot be written.
    pub async fn download(&self, checkpoint: &Checkpoint, target: &Path) -> Result<(), Error> {
        refuse_existing(target)?;
        let mut attempt = 1;
        let aside = loop {
            match self.receive(checkpoint, target).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    tracing::debug!("{error}; downloading again");
                    attempt += 1;
                }
                outcome => break outcome?,
            }
        };
        publish(aside, target)
    }

    async fn receive(&self, checkpoint: &Checkpoint, target: &Path) -> Result<TempDir, Error> {
        let call = Call::file(&["checkpoints", &checkpoint.uuid], "application/x-tar");
        let patience = self.patience();
        let stalled = || io::Error::new(io::ErrorKind::TimedOut, "nothing came for too long");
        let response = tokio::time::timeout(patience, self.open(&call));
        let response = response.await.map_err(|_| call.cut(stalled()))??;
        let body = response.bytes_stream().timeout(patience);
        let body = body.map(move |chunk| match chunk {
            Ok(chunk) => chunk.map_err(io::Error::other),
            Err(_) => Err(stalled()),
        });
        let reader = SyncIoBridge::new(StreamReader::new(Box::pin(body)));
        let files = Files::beside(target, checkpoint)?;
        let unpacking = tokio::task::spawn_blocking(move || unpack(files, reader));
        match unpacking.await {
            Ok(Ok(aside)) => Ok(aside),
            Ok(Err(ReceiveError::Connection(error))) => Err(call.cut(error)),
            Ok(Err(ReceiveError::Content(reason))) => {
                Err(Error::checkpoint(&checkpoint.uuid, reason))
            }
            Ok(Err(ReceiveError::File(error))) => Err(error),
            Err(error) => Err(call.unexpected(error)),
        }
    }
}

/// A download never replaces anything.
pub(crate) fn refuse_existing(target: &Path) -> Result<(), Error> {
    if target.symlink_metadata().is_err() {
        return Ok(());
    }
    let exists = io::Error::new(io::ErrorKind::AlreadyExists, "it exists already");
    Err(Error::file("download into", target)(exists))
}

/// Lets the received directory appear.
pub(crate) fn publish(aside: TempDir, target: &Path) -> Result<(), Error> {
    fs::rename(aside.path(), target).map_err(Error::file("rename into place", target))?;
    // The directory now has its final name: nothing is left to clean up.
    let _ = aside.keep();
    Ok(())
}
