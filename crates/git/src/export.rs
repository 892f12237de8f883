//! A commit's files, from the pack to the disk.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use gix_hash::ObjectId;
use gix_object::tree::EntryKind;
use gix_validate::path::component;

use crate::pack::{Entry, Pack};
use crate::{Error, MAX_FILES};

/// Names that no folder of a repository may have: those that lead out of it, and
/// `.git` in whatever way a file system may read it.
const NAMES: component::Options = component::Options {
    protect_windows: false,
    protect_hfs: true,
    protect_ntfs: true,
};

/// A longer path is none for the system (`PATH_MAX`).
const LONGEST_PATH: usize = 4096;

/// A commit on its way to the disk.
pub(crate) struct Export<'a> {
    pack: &'a Pack,
    root: &'a Path,
    commit: ObjectId,
    bytes: u64,
    pub(crate) files: usize,
    pub(crate) submodules: Vec<String>,
}

impl<'a> Export<'a> {
    pub(crate) fn new(pack: &'a Pack, root: &'a Path, commit: ObjectId) -> Self {
        Self {
            pack,
            root,
            commit,
            bytes: 0,
            files: 0,
            submodules: Vec::new(),
        }
    }

    /// Writes the folder `tree` with all that it holds.
    pub(crate) fn write(&mut self, tree: ObjectId) -> Result<(), Error> {
        let is_link = |(_, entry): &(PathBuf, Entry)| entry.kind == EntryKind::Link;
        let (links, others): (Vec<_>, Vec<_>) = self.list(tree)?.into_iter().partition(is_link);
        // Links come last: nothing can then be written through one.
        for (path, entry) in others.into_iter().chain(links) {
            self.write_entry(&path, &entry)?;
        }
        Ok(())
    }

    /// All entries, each folder before what it holds. They are counted before any is
    /// written: a few folders can hold each other many million times.
    fn list(&self, tree: ObjectId) -> Result<Vec<(PathBuf, Entry)>, Error> {
        let mut all = Vec::new();
        let mut folders = vec![(PathBuf::new(), tree)];
        while let Some((folder, id)) = folders.pop() {
            let entries = self.pack.folder(&id);
            for entry in entries.map_err(|reason| self.refused(&folder, &reason))? {
                let path = self.path(&folder, &entry)?;
                if entry.kind == EntryKind::Tree {
                    folders.push((path.clone(), entry.id));
                }
                all.push((path, entry));
            }
            if all.len() > MAX_FILES.0 {
                return Err(self.too_large(format_args!("{} files and folders", MAX_FILES.0)));
            }
        }
        Ok(all)
    }

    fn path(&self, folder: &Path, entry: &Entry) -> Result<PathBuf, Error> {
        let mode = (entry.kind == EntryKind::Link).then_some(component::Mode::Symlink);
        if let Err(reason) = component(entry.name.as_slice().into(), mode, NAMES) {
            let name = String::from_utf8_lossy(&entry.name);
            return Err(self.refused(folder, &format!("the name {name:?}: {reason}")));
        }
        let path = folder.join(OsStr::from_bytes(&entry.name));
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(self.refused(Path::new(""), "it has a path that is too long"));
        }
        Ok(path)
    }

    fn write_entry(&mut self, path: &Path, entry: &Entry) -> Result<(), Error> {
        let place = self.root.join(path);
        match entry.kind {
            EntryKind::Tree => fs::create_dir(&place).map_err(Error::file("create", place)),
            EntryKind::Commit => {
                self.submodules.push(path.display().to_string());
                fs::create_dir(&place).map_err(Error::file("create", place))
            }
            EntryKind::Link => {
                self.files += 1;
                let target = self.content(path, entry.id)?;
                symlink(OsStr::from_bytes(&target), &place).map_err(Error::file("link", place))
            }
            EntryKind::Blob | EntryKind::BlobExecutable => {
                let mode = match entry.kind {
                    EntryKind::BlobExecutable => 0o755,
                    _ => 0o644,
                };
                self.files += 1;
                let content = self.content(path, entry.id)?;
                write_file(&place, &content, mode).map_err(Error::file("write", place))
            }
        }
    }

    fn content(&mut self, path: &Path, id: ObjectId) -> Result<Vec<u8>, Error> {
        let content = self.pack.content(&id);
        let content = content.map_err(|reason| self.refused(path, &reason))?;
        self.bytes += content.len() as u64;
        if self.bytes > MAX_FILES.1 {
            return Err(self.too_large(format_args!("{} MiB", MAX_FILES.1 >> 20)));
        }
        Ok(content)
    }

    fn refused(&self, path: &Path, reason: &str) -> Error {
        let place = match path.as_os_str().is_empty() {
            true => "its root".to_owned(),
            false => path.display().to_string(),
        };
        Error::Commit {
            commit: self.commit.to_string(),
            reason: format!("{place}: {reason}"),
        }
    }

    fn too_large(&self, limit: std::fmt::Arguments<'_>) -> Error {
        Error::TooLarge {
            what: format!("commit {} is larger than {limit}", self.commit),
        }
    }
}

fn write_file(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    // Whatever the process's mask is.
    file.set_permissions(Permissions::from_mode(mode))
}
