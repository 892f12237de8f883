//! The files of a commit: listing and digests.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
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

pub(super) fn checked(path: &Path) -> Result<String> {
    const REFUSED: &str = "*?[]{}!()@+^";
    let text = path.to_str().unwrap_or_default();
    let is_allowed = |c: char| (' '..='~').contains(&c) && !REFUSED.contains(c);
    if text.is_empty() || !text.chars().all(is_allowed) {
        bail!(
            "Pachyderm refuses the file name {:?}: only printable ASCII without {REFUSED}; \
             rename it",
            path.display().to_string()
        );
    }
    Ok(text.to_owned())
}

/// The files at or below `path`, `/` or `/folder/` or `/file`.
pub(super) fn below<'a>(
    tree: &'a Tree,
    path: &str,
) -> impl Iterator<Item = (&'a String, &'a FileEntry)> {
    let path = path.trim_matches('/');
    let folder = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    let inner = tree.range(folder.clone()..);
    let inner = inner.take_while(move |(name, _)| name.starts_with(&folder));
    tree.get_key_value(path).into_iter().chain(inner)
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

#[cfg(test)]
mod tests {
    use std::fs;

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
        assert_eq!(sources.keys().collect::<Vec<_>>(), ["b", "linked/a"]);
        let entry = digest_file(&sources["b"]).unwrap();
        assert!(entry.size == 3 && entry.sha256.starts_with("ba7816bf"));
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
    fn a_path_has_its_own_files_below_it() {
        let entry = FileEntry {
            size: 0,
            sha256: String::new(),
        };
        let names = ["a-b", "a/b", "a/c/d", "ab", "b"];
        let tree: Tree = names.map(|name| (name.to_owned(), entry.clone())).into();
        let found = |path| below(&tree, path).map(|(name, _)| name.as_str()).collect();
        let cases: [(&str, Vec<&str>); 5] = [
            ("/", names.to_vec()),
            ("/a/", vec!["a/b", "a/c/d"]),
            ("/a/c", vec!["a/c/d"]),
            ("/ab", vec!["ab"]),
            ("/c", vec![]),
        ];
        for (path, expected) in cases {
            let found: Vec<&str> = found(path);
            assert_eq!(found, expected, "{path}");
        }
    }
}
