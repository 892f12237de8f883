//! What is meant to happen, on disk before it begins.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Change;
use super::swap::{aside, each, exists, remove};
use crate::images::seal::hex;

/// Name of the journal, in the workspace's root.
const JOURNAL: &str = ".bump-journal.json";

/// Its name when all files are replaced. Renaming needs no disk space.
pub(super) const DONE: &str = ".bump-journal.done.json";

/// The journal on disk.
pub(super) struct Journal {
    path: PathBuf,
    pub(super) what: String,
}

impl Journal {
    pub(super) fn begin(root: &Path, what: &str, planned: &[Planned]) -> Result<Self> {
        let path = root.join(JOURNAL);
        let what = what.to_owned();
        let journal = Self { path, what };
        let write = || -> std::io::Result<()> {
            let mut file = File::create_new(&journal.path)?;
            file.write_all(journal.content(planned)?.as_bytes())?;
            file.sync_all()
        };
        if let Err(error) = write() {
            if error.kind() != ErrorKind::AlreadyExists {
                journal.remove()?;
            }
            let message = format!(
                "cannot write {}; no file was changed",
                journal.path.display()
            );
            return Err(error).context(message);
        }
        Ok(journal)
    }

    fn content(&self, planned: &[Planned]) -> serde_json::Result<String> {
        let content = Content {
            what: &self.what,
            files: planned,
        };
        serde_json::to_string(&content)
    }

    /// The new files stay; tidies up.
    pub(super) fn finish(mut self, planned: &[Planned]) -> Result<()> {
        let done = self.path.with_file_name(DONE);
        fs::rename(&self.path, &done)
            .with_context(|| format!("cannot rename {}", self.path.display()))?;
        self.path = done;
        self.tidy(planned)
    }

    pub(super) fn tidy(&self, planned: &[Planned]) -> Result<()> {
        each(planned, |file| remove(&aside(&file.path, "new")))?;
        self.remove()
    }

    pub(super) fn remove(&self) -> Result<()> {
        remove(&self.path)
    }
}

/// What a killed run left.
pub(super) struct Left {
    pub(super) journal: Journal,
    pub(super) planned: Vec<Planned>,
    /// All files were replaced; only the tidying is missing.
    pub(super) complete: bool,
}

/// The journal of a killed run, if there is one.
///
/// # Errors
/// When it cannot be read.
pub(super) fn left(root: &Path) -> Result<Option<Left>> {
    let complete = exists(&root.join(DONE))?;
    let path = root.join(if complete { DONE } else { JOURNAL });
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    // Killed before the journal was whole: nothing else had begun.
    let content: Value = serde_json::from_str(&text).unwrap_or_default();
    let what = content.get("what").and_then(Value::as_str);
    let what = what.unwrap_or("(not yet said)").to_owned();
    let listed = content.get("files").and_then(Value::as_array);
    let listed = listed.into_iter().flatten();
    Ok(Some(Left {
        journal: Journal { path, what },
        planned: listed.filter_map(Planned::read).collect(),
        complete,
    }))
}

/// What stands in the journal.
#[derive(Serialize)]
struct Content<'a> {
    what: &'a str,
    files: &'a [Planned],
}

/// A file as the journal names it.
#[derive(Serialize)]
pub(super) struct Planned {
    pub(super) path: PathBuf,
    /// SHA-256 of the old text, in hexadecimal digits.
    pub(super) before: String,
    /// Of the new one.
    pub(super) after: String,
}

impl Planned {
    pub(super) fn of(change: &Change) -> Self {
        Self {
            path: change.path.clone(),
            before: digest(change.before.as_bytes()),
            after: digest(change.after.as_bytes()),
        }
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        Some(Self {
            path: text("path")?.into(),
            before: text("before")?.to_owned(),
            after: text("after")?.to_owned(),
        })
    }
}

pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
