//! The digests of the files that a repo is fed from, so that only what was touched
//! since is read again.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::objects::Objects;
use super::publish;
use super::repo;
use super::state::State;
use super::tree::{FileEntry, Sources, Tree};

/// Seconds for which a change could go unseen, as clocks of files are coarse.
const RACY: i64 = 2;

/// What is known of the files of a source, by their path on this machine.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    files: BTreeMap<PathBuf, Known>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    stamp: Stamp,
    entry: FileEntry,
}

/// What changes with the content: a write sets the last two, and nobody can set
/// the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Index {
    /// What was known after the last run; nothing if there was none.
    pub(super) fn read(state: &State, repo: &str) -> Self {
        let text = fs::read_to_string(state.index(repo)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(super) fn write(&self, state: &State, repo: &str) -> Result<()> {
        publish::note_json(&state.index(repo), self)
    }

    /// Takes into the store what is not there, and gives the digests of all.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub(super) fn take(&mut self, objects: &Objects, sources: &Sources) -> Result<Tree> {
        let now = repo::now().cast_signed();
        let mut known = BTreeMap::new();
        let mut files = Tree::new();
        for (name, path) in sources {
            let found = path.metadata();
            let found = found.with_context(|| format!("cannot read {}", path.display()))?;
            let stamp = Stamp::of(&found);
            let before = self.files.remove(path).filter(|it| it.stamp == stamp);
            let entry = match before.filter(|it| objects.has(&it.entry)) {
                Some(before) => before.entry,
                None => objects.take(path)?,
            };
            files.insert(name.clone(), entry.clone());
            if stamp.changed.0 + RACY < now {
                known.insert(path.clone(), Known { stamp, entry });
            }
        }
        self.files = known;
        Ok(files)
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_touched_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::at(folder.path().join("objects"));
        let path = folder.path().join("a");
        fs::write(&path, "1").unwrap();
        let sources = Sources::from([("a".to_owned(), path.clone())]);
        let mut index = Index::default();
        let first = index.take(&objects, &sources).unwrap();
        assert!(index.files.is_empty(), "a file so young is not trusted");

        let stamp = Stamp::of(&path.metadata().unwrap());
        let mut other = first["a"].clone();
        fs::write(folder.path().join("b"), "2").unwrap();
        other.sha256 = objects.take(&folder.path().join("b")).unwrap().sha256;
        let known = |stamp: &Stamp| {
            let (stamp, entry) = (stamp.clone(), other.clone());
            Index {
                files: BTreeMap::from([(path.clone(), Known { stamp, entry })]),
            }
        };
        assert_eq!(known(&stamp).take(&objects, &sources).unwrap()["a"], other);
        let mut touched = stamp;
        touched.changed.1 += 1;
        assert_eq!(known(&touched).take(&objects, &sources).unwrap(), first);
    }
}
