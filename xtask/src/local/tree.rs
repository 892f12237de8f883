//! The files of a commit: listing, digests, copies.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

/// Files by their path in the repo, `folder/file.csv`.
pub(super) type Tree = BTreeMap<String, FileEntry>;

/// The content of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    /// Bytes.
    pub(super) size: u64,
    /// 64 hex digits.
    pub(super) sha256: String,
}

/// Where the files of a tree in the making lie, by their path in the repo.
pub(super) type Sources = BTreeMap<String, PathBuf>;

/// Lists the files below `root` as Pachyderm would take them from `/pfs/out`:
/// links are followed, empty folders and pipes are left out.
///
/// # Errors
///
/// When a path has characters that Pachyderm refuses, a link leads nowhere or in
/// a circle, or a folder cannot be read.
pub(super) fn list(root: &Path) -> Result<Sources> {
    let mut sources = Sources::new();
    for entry in WalkDir::new(root).follow_links(true) {
        let entry = entry?;
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path().strip_prefix(root)?;
        let name = if path.as_os_str().is_empty() {
            Path::new(entry.file_name())
        } else {
            path
        };
        sources.insert(checked(name)?, entry.into_path());
    }
    Ok(sources)
}

fn checked(path: &Path) -> Result<String> {
    const REFUSED: &str = "*?[]{}!()@+^";
    let text = path.to_str().unwrap_or_default();
    let is_allowed = |c: char| (' '..='~').contains(&c) && !REFUSED.contains(c);
    if text.is_empty() || !text.chars().all(is_allowed) {
        bail!(
            "Pachyderm refuses the file name {:?}: only printable ASCII without {REFUSED}",
            path.display().to_string()
        );
    }
    Ok(text.to_owned())
}

/// Copies the files into the new folder `target` and gives their digests.
pub(super) fn copy(sources: &Sources, target: &Path) -> Result<Tree> {
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    let mut tree = Tree::new();
    for (name, source) in sources {
        let path = target.join(name);
        let copied = || -> Result<FileEntry> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::copy(source, &path)?;
            set_mode(&path, 0o444)?;
            File::open(&path)?.sync_all()?;
            // What is digested is the copy: the source may change meanwhile.
            digest_file(&path)
        };
        let entry = copied()
            .with_context(|| format!("cannot copy {} to {}", source.display(), path.display()))?;
        tree.insert(name.clone(), entry);
    }
    Ok(tree)
}

/// Copies the files of a commit below `prefix` to `target` for a program, which
/// may do with them what it likes.
pub(super) fn lend(files: &Path, tree: &Tree, prefix: &str, target: &Path) -> Result<()> {
    for name in tree.keys().filter(|name| is_below(name, prefix)) {
        let path = target.join(name);
        let copied = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::copy(files.join(name), &path)?;
            set_mode(&path, 0o644)
        };
        copied().with_context(|| format!("cannot make {}", path.display()))?;
    }
    Ok(())
}

/// Whether a file belongs to the datum at `prefix`, `/` or `/top`.
pub(super) fn is_below(name: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_matches('/');
    match name.strip_prefix(prefix) {
        _ if prefix.is_empty() => true,
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// The digests of the files as they are now.
pub(super) fn digest(sources: &Sources) -> Result<Tree> {
    let mut tree = Tree::new();
    for (name, path) in sources {
        let entry = digest_file(path).with_context(|| format!("cannot read {}", path.display()))?;
        tree.insert(name.clone(), entry);
    }
    Ok(tree)
}

/// The size and SHA-256 of a file.
pub(super) fn digest_file(path: &Path) -> Result<FileEntry> {
    let mut hasher = Hasher(Sha256::new());
    let size = io::copy(&mut File::open(path)?, &mut hasher)?;
    let sha256 = hex(&hasher.0.finalize());
    Ok(FileEntry { size, sha256 })
}

struct Hasher(Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes as lowercase hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of a text, in hex digits.
pub(super) fn digest_text(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_and_empty_folders_vanish() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("out/empty")).unwrap();
        fs::create_dir(root.join("other")).unwrap();
        fs::write(root.join("other/a"), "abc").unwrap();
        std::os::unix::fs::symlink(root.join("other"), root.join("out/linked")).unwrap();
        std::os::unix::fs::symlink(root.join("other/a"), root.join("out/b")).unwrap();
        let sources = list(&root.join("out")).unwrap();
        let tree = copy(&sources, &root.join("copy")).unwrap();
        assert_eq!(tree.keys().collect::<Vec<_>>(), ["b", "linked/a"]);
        assert!(tree["b"].sha256.starts_with("ba7816bf"));
        assert_eq!(tree, digest(&sources).unwrap());
        let copied = root.join("copy/b").symlink_metadata().unwrap();
        assert!(copied.is_file() && copied.permissions().readonly());
    }

    #[test]
    fn bad_names_and_circles_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a(1)"), "").unwrap();
        let error = list(folder.path()).unwrap_err().to_string();
        assert!(error.contains("\"a(1)\""), "{error}");
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("self")).unwrap();
        assert!(list(folder.path()).is_err());
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        assert!(list(folder.path()).is_err());
    }

    #[test]
    fn below() {
        assert!(is_below("a/b", "/") && is_below("a/b", "/a") && is_below("a", "/a"));
        assert!(!is_below("ab", "/a") && !is_below("b/a", "/a"));
    }
}
