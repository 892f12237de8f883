//! Contents by their digest, so that a commit costs only what is new in it.
//!
//! An object is a read-only file `<2 digits>/<62 digits>` of its SHA-256. Commits
//! hold hard links to it; one that no commit holds is removed by the next run.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use rustix::fs::syncfs;
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use super::publish;
#[cfg(test)]
use super::tree::Sources;
use super::tree::{self, FileEntry, Tree};

/// Up to so many new objects are flushed one by one, more all at once.
const FEW: usize = 16;

/// Smaller files are held in memory while it is seen whether they are new.
const SMALL: usize = 64 * 1024;

/// The store of a use case.
#[derive(Debug)]
pub(super) struct Objects {
    folder: PathBuf,
    /// How many are new and may not be on the disk.
    unflushed: AtomicUsize,
}

impl Objects {
    pub(super) fn at(folder: PathBuf) -> Self {
        let unflushed = AtomicUsize::new(0);
        Self { folder, unflushed }
    }

    /// Where the content lies.
    pub(super) fn path(&self, entry: &FileEntry) -> PathBuf {
        let (head, rest) = entry.sha256.split_at_checked(2).unwrap_or_default();
        self.folder.join(head).join(rest)
    }

    pub(super) fn has(&self, entry: &FileEntry) -> bool {
        let found = self.path(entry).symlink_metadata();
        found.is_ok_and(|found| found.is_file() && found.len() == entry.size)
    }

    /// Copies a file in. What is digested is the copy: the source may change
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or the store not be written.
    pub(super) fn take(&self, source: &Path) -> Result<FileEntry> {
        let taken = || -> Result<FileEntry> {
            let input = File::open(source)?;
            let mut start = Vec::with_capacity(SMALL);
            (&input).take(SMALL as u64).read_to_end(&mut start)?;
            match start.len() < SMALL {
                true => self.take_small(&start),
                false => self.take_large(start, &input),
            }
        };
        taken().with_context(|| format!("cannot take in {}", source.display()))
    }

    fn take_small(&self, content: &[u8]) -> Result<FileEntry> {
        let entry = FileEntry {
            size: content.len() as u64,
            sha256: tree::hex(&Sha256::digest(content)),
        };
        if !self.has(&entry) {
            let mut copy = publish::partial(&self.folder)?;
            copy.write_all(content)?;
            self.keep(copy, &entry)?;
        }
        Ok(entry)
    }

    /// Takes in what starts with the bytes in `buffer`, and goes on in `rest`.
    fn take_large(&self, mut buffer: Vec<u8>, mut rest: &File) -> Result<FileEntry> {
        let mut copy = publish::partial(&self.folder)?;
        let mut hasher = Sha256::new();
        let (mut size, mut count) = (0, buffer.len());
        while let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) {
            hasher.update(bytes);
            copy.write_all(bytes)?;
            size += bytes.len() as u64;
            count = rest.read(&mut buffer)?;
        }
        let sha256 = tree::hex(&hasher.finalize());
        let entry = FileEntry { size, sha256 };
        if !self.has(&entry) {
            self.keep(copy, &entry)?;
        }
        Ok(entry)
    }

    fn keep(&self, copy: tempfile::NamedTempFile, entry: &FileEntry) -> Result<()> {
        let target = self.path(entry);
        copy.as_file()
            .set_permissions(fs::Permissions::from_mode(0o444))?;
        if self.unflushed.fetch_add(1, Ordering::SeqCst) < FEW {
            copy.as_file().sync_all()?;
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        copy.persist(target)?;
        Ok(())
    }

    /// Copies files in, by their path in the repo.
    #[cfg(test)]
    pub(super) fn take_all(&self, sources: &Sources) -> Result<Tree> {
        let taken = sources
            .iter()
            .map(|(name, path)| Ok((name.clone(), self.take(path)?)));
        taken.collect()
    }

    /// Lets what was taken in survive a power failure.
    pub(super) fn flush(&self) -> Result<()> {
        if self.unflushed.swap(0, Ordering::SeqCst) > FEW {
            let folder = File::open(&self.folder)?;
            syncfs(&folder).with_context(|| format!("cannot flush {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// Lets the files of `tree` appear in the new folder `target`.
    ///
    /// # Errors
    ///
    /// When an object is missing, or the folder cannot be written.
    pub(super) fn lay(&self, tree: &Tree, target: &Path) -> Result<()> {
        fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
        let mut last = target.to_owned();
        for (name, entry) in tree {
            let path = target.join(name);
            let mut linked = || -> io::Result<()> {
                if let Some(folder) = path.parent().filter(|folder| *folder != last) {
                    fs::create_dir_all(folder)?;
                    folder.clone_into(&mut last);
                }
                link(&self.path(entry), &path)
            };
            linked().with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(())
    }

    /// Removes the objects that no commit holds. Needs the run lock.
    pub(super) fn sweep(&self) -> Result<()> {
        publish::sweep(&self.folder)?;
        for entry in WalkDir::new(&self.folder) {
            // There is no folder before the first commit.
            let Ok(entry) = entry else { continue };
            if entry.file_type().is_file() && entry.metadata()?.nlink() == 1 {
                publish::remove(entry.path())?;
            }
        }
        Ok(())
    }
}

/// A hard link, or a copy where the object has as many as it can have.
fn link(object: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(object, target) {
        Err(error) if error.kind() == ErrorKind::TooManyLinks => fs::copy(object, target).map(drop),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contents_are_one_read_only_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let objects = Objects::at(root.join("objects"));
        for (name, text) in [("a", "abc"), ("b", "abc"), ("c", "other")] {
            fs::write(root.join(name), text).unwrap();
        }
        let sources = ["a", "b", "c"].map(|name| (format!("x/{name}"), root.join(name)));
        let tree = objects.take_all(&Sources::from(sources)).unwrap();
        assert!(tree["x/a"].sha256.starts_with("ba7816bf"));
        objects.lay(&tree, &root.join("files")).unwrap();
        objects.flush().unwrap();
        let inode = |name: &str| fs::metadata(root.join("files/x").join(name)).unwrap();
        assert_eq!(inode("a").ino(), inode("b").ino());
        assert!(inode("a").permissions().readonly());
        fs::remove_file(root.join("files/x/c")).unwrap();
        objects.sweep().unwrap();
        assert!(objects.has(&tree["x/a"]) && !objects.has(&tree["x/c"]));
        let error = objects.lay(&tree, &root.join("again")).unwrap_err();
        assert!(error.to_string().contains("x/c"), "{error}");
    }
}
