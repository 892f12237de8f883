//! Replaces several files together or not at all, also when the process is
//! killed in between.
//!
//! A journal says what is meant to happen. The new text of each file is written
//! beside it (`.NAME.new`); then the two change names, file after file, and the
//! journal is renamed to say that all is done. Undoing is changing names once more, which needs
//! no disk space. A journal found by a later run is that of a killed one: marked
//! as done, only the tidying is left; otherwise what was done is undone.

mod guard;
mod journal;
mod swap;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shares::shares;

pub(crate) use guard::Guard;
use journal::{Journal, Left, Planned};

/// A file and its new text.
pub(crate) struct Change {
    /// Real path, no symbolic link.
    pub(crate) path: PathBuf,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// What became of a former run that was killed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// There was none.
    Nothing,
    /// All files were in place; what it did.
    Complete(String),
    /// It is undone; what it meant to do, how many files it had replaced, and
    /// which of these stay as they are because somebody edited them since.
    Undone {
        what: String,
        replaced: usize,
        kept: Vec<PathBuf>,
    },
}

/// Replaces all files. `go_on` is asked before every step; its error ends the
/// work and undoes it.
///
/// # Errors
/// When anything fails; all files are then as before.
pub(crate) fn replace(
    root: &Path,
    what: &str,
    changes: &[Change],
    go_on: impl Fn() -> Result<()> + Sync,
) -> Result<()> {
    let planned = shares(changes, |share| {
        share.iter().try_for_each(swap::check)?;
        Ok(share.iter().map(Planned::of).collect::<Vec<_>>())
    })?;
    let planned: Vec<Planned> = planned.into_iter().flatten().collect();
    let journal = Journal::begin(root, what, &planned)?;
    match swap::act(changes, &go_on) {
        Ok(()) => journal.finish(&planned),
        Err(error) => {
            let undone = swap::undo(&planned).and_then(|_| journal.remove());
            undone.with_context(|| format!("cannot undo: {error}; the next bump tries again"))?;
            Err(error.context("no file was changed"))
        }
    }
}

/// Deals with what a killed run left behind.
///
/// # Errors
/// When a file cannot be restored.
pub(crate) fn recover(root: &Path) -> Result<Recovered> {
    let Some(left) = journal::left(root)? else {
        return Ok(Recovered::Nothing);
    };
    let Left {
        journal,
        planned,
        complete,
    } = left;
    let what = journal.what.clone();
    if complete {
        journal.tidy(&planned)?;
        return Ok(Recovered::Complete(what));
    }
    let (replaced, kept) = swap::undo(&planned)?;
    journal.remove()?;
    Ok(Recovered::Undone {
        what,
        replaced,
        kept,
    })
}
