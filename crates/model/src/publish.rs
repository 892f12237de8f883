//! Publication that a reader sees whole or not at all.
//!
//! A file or directory is made under a name of its own beside its target, flushed
//! to the disk, and renamed. A crash or a full disk at any moment leaves the
//! target as it was; what was made aside is removed, or after SIGKILL stays under
//! a name that starts with `.partial-`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempDir};

/// How the names of unfinished files and directories begin.
pub const PARTIAL_PREFIX: &str = ".partial-";

/// What failed while publishing, and on which path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct PublishError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

pub(crate) fn failed<'a>(
    action: &'static str,
    path: impl AsRef<Path> + 'a,
) -> impl FnOnce(io::Error) -> PublishError + 'a {
    move |source| PublishError {
        action,
        path: path.as_ref().to_owned(),
        source,
    }
}

/// Replaces the file at `target` with `content`, atomically and durably.
///
/// # Errors
///
/// When the folder of `target` does not exist or cannot be written, or the disk
/// is full. `target` is then as before.
pub fn write_file(target: &Path, content: &[u8]) -> Result<(), PublishError> {
    let folder = folder_of(target);
    let mut file = Builder::new()
        .prefix(PARTIAL_PREFIX)
        .tempfile_in(folder)
        .map_err(failed("create a file in", folder))?;
    fill(&mut file, content).map_err(failed("write", target))?;
    file.persist(target)
        .map_err(|e| failed("rename into place", target)(e.error))?;
    flush_folder(folder)
}

fn fill(file: &mut NamedTempFile, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    make_readable(file.as_file())?;
    file.as_file().sync_all()
}

/// Temporary files are private to their owner; what is published is for other
/// users too, as the next container runs under another uid.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_folder_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_folder_readable(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A directory in the making, beside the place where it will appear.
///
/// Dropped without [`Staging::publish`], it is removed.
#[derive(Debug)]
pub struct Staging {
    aside: TempDir,
    target: PathBuf,
}

impl Staging {
    /// Starts a directory that will appear at `target`.
    ///
    /// # Errors
    ///
    /// When `target` exists already: what is published is never replaced. When
    /// the folder of `target` cannot be written.
    pub fn new(target: &Path) -> Result<Self, PublishError> {
        refuse_existing(target)?;
        let folder = folder_of(target);
        let aside = Builder::new()
            .prefix(PARTIAL_PREFIX)
            .tempdir_in(folder)
            .map_err(failed("create a directory in", folder))?;
        make_folder_readable(aside.path()).map_err(failed("set the mode of", aside.path()))?;
        Ok(Self {
            aside,
            target: target.to_owned(),
        })
    }

    /// Writes one file of the directory and flushes it.
    ///
    /// # Errors
    ///
    /// When it cannot be written, as when the disk is full.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), PublishError> {
        let path = self.aside.path().join(name);
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(content)?;
            make_readable(&file)?;
            file.sync_all()
        };
        write().map_err(failed("write", self.target.join(name)))
    }

    /// Lets the directory appear at its target.
    ///
    /// # Errors
    ///
    /// When something has appeared at the target meanwhile, or the rename fails.
    pub fn publish(self) -> Result<(), PublishError> {
        refuse_existing(&self.target)?;
        flush_folder(self.aside.path())?;
        fs::rename(self.aside.path(), &self.target)
            .map_err(failed("rename into place", &self.target))?;
        // The directory now has its final name: nothing is left to clean up.
        let _ = self.aside.keep();
        flush_folder(folder_of(&self.target))
    }
}

fn refuse_existing(target: &Path) -> Result<(), PublishError> {
    if target.symlink_metadata().is_ok() {
        let source = io::Error::new(io::ErrorKind::AlreadyExists, "it exists already");
        return Err(failed("publish", target)(source));
    }
    Ok(())
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a rename in `folder` survive a power failure.
fn flush_folder(folder: &Path) -> Result<(), PublishError> {
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(failed("flush", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.txt");
        write_file(&target, b"one").unwrap();
        write_file(&target, b"two").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_appears_only_when_published() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model");
        let staging = Staging::new(&target).unwrap();
        staging.write("a", b"1").unwrap();
        assert!(!target.exists());
        staging.publish().unwrap();
        assert_eq!(fs::read(target.join("a")).unwrap(), b"1");
        assert!(
            Staging::new(&target)
                .unwrap_err()
                .to_string()
                .contains("publish")
        );
    }

    #[test]
    fn an_abandoned_directory_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::new(&dir.path().join("model")).unwrap();
        staging.write("a", b"1").unwrap();
        drop(staging);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
