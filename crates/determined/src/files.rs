//! The files of a checkpoint on their way to the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::{Checkpoint, Error};

/// The file that the Python SDK adds to a download when training wrote none.
const METADATA_FILE: &str = "metadata.json";

/// Why files were not received.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    /// They stopped coming.
    Connection(io::Error),
    /// They are not what they should be.
    Content(String),
    /// The disk refuses.
    File(Error),
}

impl From<Error> for ReceiveError {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

/// The files that must come, and the directory that they go to meanwhile.
pub(crate) struct Files {
    aside: TempDir,
    /// The sizes of the files that have not come yet, by path.
    missing: BTreeMap<String, u64>,
    directories: Vec<String>,
    metadata: Map<String, Value>,
}

impl Files {
    /// Prepares a directory beside `target`.
    pub(crate) fn beside(target: &Path, checkpoint: &Checkpoint) -> Result<Self, Error> {
        let (mut missing, mut directories) = (BTreeMap::new(), Vec::new());
        for (path, &size) in &checkpoint.resources {
            if plain(Path::new(path)).is_none() {
                let reason = format!("it lists a file {path:?}, which is no relative path");
                return Err(Error::checkpoint(&checkpoint.uuid, reason));
            }
            if path.ends_with('/') {
                directories.push(path.clone());
            } else {
                missing.insert(path.clone(), size);
            }
        }
        if missing.is_empty() {
            let reason = format!("it lists no files (its state: {})", checkpoint.state);
            return Err(Error::checkpoint(&checkpoint.uuid, reason));
        }
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let aside = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(folder)
            .map_err(Error::file("create a directory in", folder))?;
        make_readable(aside.path()).map_err(Error::file("set the mode of", aside.path()))?;
        Ok(Self {
            aside,
            missing,
            directories,
            metadata: checkpoint.metadata.clone(),
        })
    }

    /// The files that have not come yet.
    #[cfg(feature = "storage")]
    pub(crate) fn missing(&self) -> Vec<String> {
        self.missing.keys().cloned().collect()
    }

    /// Writes the file `path`, which must be one of those that have not come yet and
    /// have `size` bytes.
    pub(crate) fn receive(
        &mut self,
        path: &str,
        size: u64,
        content: impl Read,
    ) -> Result<(), ReceiveError> {
        let refuse = |reason: String| Err(ReceiveError::Content(reason));
        let Some(wanted) = self.missing.remove(path) else {
            return refuse(format!(
                "the download holds {path:?}, which the checkpoint does not list or which came before"
            ));
        };
        if size != wanted {
            return refuse(format!(
                "{path:?} has {size} bytes and should have {wanted}"
            ));
        }
        let target = self.aside.path().join(path);
        let mut content = Watched::new(content);
        // One byte more than there may be tells a file that is too long.
        let written = write_new(&target, &mut content.by_ref().take(size.saturating_add(1)));
        if let Some(error) = content.broken {
            return Err(ReceiveError::Connection(error));
        }
        let written = written.map_err(Error::file("write", &target))?;
        if written != size {
            return refuse(format!(
                "{path:?} has {written} bytes and should have {size}"
            ));
        }
        Ok(())
    }

    /// The directory, once all files are there.
    pub(crate) fn whole(self) -> Result<TempDir, ReceiveError> {
        if let Some((path, size)) = self.missing.first_key_value() {
            let more = match self.missing.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return Err(ReceiveError::Content(format!(
                "the download lacks {path:?} ({size} bytes){more}"
            )));
        }
        self.complete()?;
        Ok(self.aside)
    }

    /// What archives do not carry: empty directories, and the description that
    /// Determined's own loaders expect.
    fn complete(&self) -> Result<(), Error> {
        for directory in &self.directories {
            let path = self.aside.path().join(directory);
            fs::create_dir_all(&path).map_err(Error::file("create", &path))?;
        }
        let path = self.aside.path().join(METADATA_FILE);
        if !path.exists() {
            let text = Value::Object(self.metadata.clone()).to_string();
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
        Ok(())
    }
}

fn write_new(path: &Path, content: &mut impl Read) -> io::Result<u64> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    let written = io::copy(content, &mut file)?;
    file.sync_all()?;
    Ok(written)
}

/// The path without `./`, if it is relative and goes nowhere but down.
pub(crate) fn plain(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!clean.as_os_str().is_empty()).then_some(clean)
}

/// The directory is for the next container too, which runs under another uid.
#[cfg(unix)]
fn make_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_readable(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Remembers that reading failed, as opposed to what was read being wrong.
pub(crate) struct Watched<R> {
    reader: R,
    /// What the reader said.
    pub(crate) broken: Option<io::Error>,
}

impl<R> Watched<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            broken: None,
        }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            let again = io::Error::new(error.kind(), error.to_string());
            self.broken = Some(error);
            again
        })
    }
}
