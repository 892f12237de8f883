//! `data.sha256`: the data files that a model was made from, with their digests.
//!
//! The format is that of GNU `sha256sum`, so that `sha256sum --check` in the data
//! folder tells what has changed, too.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Digest;

/// The list of data files in a package.
pub const DATA_FILE: &str = "data.sha256";

const ALGORITHM: &str = "sha256:";

/// Files by path below their folder, each with the digest of its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory(pub BTreeMap<String, Digest>);

/// What two inventories have not in common, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Files that only the former has.
    pub missing: Vec<String>,
    /// Files that both have, with other contents.
    pub changed: Vec<String>,
    /// Files that only the latter has.
    pub added: Vec<String>,
}

/// Why a list of files cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// The file cannot be opened, or is not UTF-8.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is not one of `sha256sum`.
    #[error("{}:{line}: expected 64 hex digits, two spaces and a path", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

impl Inventory {
    /// Reads the list at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or a line is not one of `sha256sum`.
    pub fn read(path: &Path) -> Result<Self, InventoryError> {
        let text = fs::read_to_string(path).map_err(|source| InventoryError::Read {
            path: path.to_owned(),
            source,
        })?;
        let entry = |(index, line)| {
            entry(line).ok_or_else(|| InventoryError::Line {
                path: path.to_owned(),
                line: index + 1,
            })
        };
        let entries = text.lines().enumerate().map(entry);
        Ok(Self(entries.collect::<Result<_, _>>()?))
    }

    /// The list's text, sorted by path.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (path, digest) in &self.0 {
            let digest = digest.to_string();
            let hex = digest.strip_prefix(ALGORITHM).unwrap_or(&digest);
            let escaped = escape(path);
            // GNU sha256sum marks the lines whose path it had to escape.
            let mark = if escaped == *path { "" } else { "\\" };
            text.push_str(&format!("{mark}{hex}  {escaped}\n"));
        }
        text
    }

    /// One digest over all paths and digests: that of the list's text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_text().as_bytes())
    }

    /// What has to happen to these files to become `later`.
    pub fn differences(&self, later: &Self) -> Differences {
        let mut differences = Differences::default();
        for (path, digest) in &self.0 {
            match later.0.get(path) {
                None => differences.missing.push(path.clone()),
                Some(other) if other != digest => differences.changed.push(path.clone()),
                Some(_) => {}
            }
        }
        let added = later.0.keys().filter(|path| !self.0.contains_key(*path));
        differences.added = added.cloned().collect();
        differences
    }
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn entry(line: &str) -> Option<(String, Digest)> {
    let (escaped, line) = match line.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (hex, path) = line.split_once("  ")?;
    let digest = format!("{ALGORITHM}{hex}").parse().ok()?;
    let path = if escaped {
        unescape(path)?
    } else {
        path.to_owned()
    };
    Some((path, digest))
}

fn escape(path: &str) -> String {
    let path = path.replace('\\', "\\\\");
    path.replace('\n', "\\n").replace('\r', "\\r")
}

fn unescape(path: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = path.chars();
    while let Some(c) = rest.next() {
        plain.push(match c {
            '\\' => match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(files: &[(&str, &str)]) -> Inventory {
        let files = files.iter();
        Inventory(
            files
                .map(|(path, content)| ((*path).to_owned(), Digest::of(content.as_bytes())))
                .collect(),
        )
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(DATA_FILE);
        let all = inventory(&[("a/b  c.csv", "1"), ("odd\\na\nme\r", "2"), ("z", "3")]);
        fs::write(&path, all.to_text()).unwrap();
        assert_eq!(Inventory::read(&path).unwrap(), all);
        assert!(all.to_text().lines().any(|line| line.starts_with('\\')));
        for wrong in ["x  a\n", "abc\n", "\\  a\n"] {
            fs::write(&path, format!("{}{wrong}", all.to_text())).unwrap();
            let error = Inventory::read(&path).unwrap_err().to_string();
            assert!(error.contains("data.sha256:4: expected 64"), "{error}");
        }
    }

    #[test]
    fn differences_are_named() {
        let before = inventory(&[("gone", "1"), ("same", "2"), ("other", "3")]);
        let after = inventory(&[("new", "1"), ("same", "2"), ("other", "4")]);
        let found = before.differences(&after);
        assert_eq!(
            (found.missing, found.changed, found.added),
            (
                vec!["gone".to_owned()],
                vec!["other".to_owned()],
                vec!["new".to_owned()]
            )
        );
        assert!(before.differences(&before).is_empty());
    }
}
