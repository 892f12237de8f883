//! Repos of immutable commits.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::objects::Objects;
use super::publish;
use super::tree::Tree;

/// A versioned file store with one branch.
#[derive(Debug)]
pub(super) struct Repo<'a> {
    folder: PathBuf,
    objects: &'a Objects,
    name: String,
}

/// A state of a repo that never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Commit {
    /// A `UUIDv4` without dashes. All commits that one event causes share it.
    pub(super) id: String,
    /// The commit before this one.
    pub(super) parent: Option<String>,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// What a pipeline made it from; nothing for a commit of a user.
    pub(super) job: Option<Job>,
    /// The files.
    pub(super) files: Tree,
}

/// The job whose output a commit is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    /// The SHA-256 of the descriptor.
    pub(super) spec: String,
    /// The salt of the datums' hashes.
    pub(super) salt: String,
    /// The digest of the program or the ID of the image.
    pub(super) program: String,
    /// The commits that were read.
    pub(super) inputs: Vec<Provenance>,
    /// The datums that were processed successfully, now or in an earlier job.
    pub(super) datums: Vec<Processed>,
}

/// A commit that another one was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Provenance {
    pub(super) repo: String,
    pub(super) commit: String,
}

/// A datum that was processed successfully.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Processed {
    /// Which unit of input, `PACH_DATUM_ID`.
    pub(super) id: String,
    /// Content and salt.
    pub(super) hash: String,
    /// The job that processed it.
    pub(super) job: String,
    /// Its output, by path.
    pub(super) files: Vec<String>,
}

/// A new ID for an event.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Now, in seconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

impl<'a> Repo<'a> {
    pub(super) fn at(folder: PathBuf, objects: &'a Objects, name: &str) -> Self {
        let name = name.to_owned();
        Self {
            folder,
            objects,
            name,
        }
    }

    fn commit_folder(&self, id: &str) -> PathBuf {
        self.folder.join("commits").join(id)
    }

    /// Where the files of a commit lie.
    pub(super) fn files(&self, id: &str) -> PathBuf {
        self.commit_folder(id).join("files")
    }

    /// Whether the repo's head is the commit `id`, or was.
    pub(super) fn has(&self, id: &str) -> Result<bool> {
        let mut commit = self.head()?;
        while let Some(found) = commit {
            if found.id == id {
                return Ok(true);
            }
            commit = found.parent.map(|parent| self.read(&parent)).transpose()?;
        }
        Ok(false)
    }

    /// The newest commit.
    pub(super) fn head(&self) -> Result<Option<Commit>> {
        match fs::read_to_string(self.folder.join("head")) {
            Ok(id) => self.read(id.trim()).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read repo {}", self.name)),
        }
    }

    /// The commit `id`.
    ///
    /// # Errors
    ///
    /// When there is none, or its record is damaged.
    pub(super) fn read(&self, id: &str) -> Result<Commit> {
        let path = self.commit_folder(id).join("commit.json");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read commit {}@{id}", self.name))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Makes a commit of `files`, which are all in the store, and lets it be the head.
    ///
    /// # Errors
    ///
    /// When a file cannot be made, or the head has this ID already. The head is
    /// then as before.
    pub(super) fn commit(&self, id: &str, files: Tree, job: Option<Job>) -> Result<Commit> {
        let head = self.head()?.map(|head| head.id);
        if head.as_deref() == Some(id) {
            bail!(
                "{}@{id} is there already; a commit never changes",
                self.name
            );
        }
        let commits = self.folder.join("commits");
        let staged = publish::stage(&commits)?;
        self.objects.flush()?;
        self.objects.lay(&files, &staged.path().join("files"))?;
        let commit = Commit {
            id: id.to_owned(),
            parent: head,
            created: now(),
            job,
            files,
        };
        publish::write_json(&staged.path().join("commit.json"), &commit)?;
        let target = self.commit_folder(id);
        // A killed run with this ID may have come just short of moving the head.
        publish::remove(&target)?;
        publish::reveal(staged, &target)?;
        publish::write(&self.folder.join("head"), format!("{id}\n").as_bytes())?;
        Ok(commit)
    }
}

impl Commit {
    /// The first file whose name ends as given.
    pub(super) fn find(&self, end: &str) -> Option<&Path> {
        let found = self.files.keys().find(|name| name.ends_with(end));
        found.map(Path::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tree::{FileEntry, Sources};

    #[test]
    fn commits_have_parents_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a.csv");
        let objects = Objects::at(folder.path().join("objects"));
        let repo = Repo::at(folder.path().join("repo"), &objects, "r");
        assert!(repo.head().unwrap().is_none());
        let sources = Sources::from([("a.csv".to_owned(), data.clone())]);
        let commit = |id: &str, text: &str| {
            fs::write(&data, text).unwrap();
            repo.commit(id, objects.take_all(&sources).unwrap(), None)
        };
        let first = commit(&new_id(), "1").unwrap();
        let second = commit(&new_id(), "2").unwrap();
        assert_eq!(second.parent, Some(first.id.clone()));
        assert_eq!(repo.head().unwrap().unwrap().files, second.files);
        assert!(commit(&second.id, "3").is_err());
        assert_eq!(fs::read(repo.files(&first.id).join("a.csv")).unwrap(), b"1");
        assert!(repo.has(&first.id).unwrap() && !repo.has(&new_id()).unwrap());
    }

    #[test]
    fn a_failed_commit_leaves_the_head() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::at(folder.path().join("objects"));
        let repo = Repo::at(folder.path().join("repo"), &objects, "r");
        let sha256 = "0".repeat(64);
        let files = Tree::from([("a".to_owned(), FileEntry { size: 1, sha256 })]);
        assert!(repo.commit(&new_id(), files, None).is_err());
        assert!(repo.head().unwrap().is_none());
        let left = fs::read_dir(folder.path().join("repo/commits")).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn ids_are_those_of_pachyderm() {
        let id = new_id();
        assert!(id.len() == 32 && id.as_bytes()[12] == b'4');
    }
}
