//! The steps for each file: the new text beside it, then the change of names,
//! and the way back.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::Change;
use super::journal::{Planned, digest};
use crate::shares::shares;

pub(super) fn check(change: &Change) -> Result<()> {
    let path = change.path.display();
    let metadata = fs::metadata(&change.path).with_context(|| format!("cannot read {path}"))?;
    ensure!(
        !metadata.permissions().readonly(),
        "{path} is read-only; make it writable (chmod u+w) or leave its pipeline out"
    );
    Ok(())
}

pub(super) fn act(changes: &[Change], go_on: &(impl Fn() -> Result<()> + Sync)) -> Result<()> {
    each(changes, |change| {
        go_on()?;
        prepare(change)
    })?;
    each(changes, |change| {
        go_on()?;
        let path = &change.path;
        swap(path).with_context(|| format!("cannot replace {}", path.display()))
    })
}

/// Does a step for every file, on all processors.
pub(super) fn each<T: Sync>(files: &[T], step: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    shares(files, |share| share.iter().try_for_each(&step))?;
    Ok(())
}

/// Lets a file and the one beside it change names.
fn swap(path: &Path) -> std::io::Result<()> {
    let (new, old) = (aside(path, "new"), aside(path, "old"));
    match renameat_with(CWD, &new, CWD, path, RenameFlags::EXCHANGE) {
        // Not every file system can do it in one step.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(path, &old).or_else(|_| fs::copy(path, &old).map(|_| ()))?;
            fs::rename(&new, path)?;
            fs::rename(&old, &new)
        }
        done => Ok(done?),
    }
}

fn prepare(change: &Change) -> Result<()> {
    let path = &change.path;
    let now = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        now == change.before.as_bytes(),
        "{} was changed by somebody else meanwhile",
        path.display()
    );
    let write = || -> std::io::Result<()> {
        let mut file = File::create_new(aside(path, "new"))?;
        file.write_all(change.after.as_bytes())?;
        file.set_permissions(fs::metadata(path)?.permissions())
    };
    write().with_context(|| format!("cannot write beside {}", path.display()))
}

/// Puts the old files back; gives the number of those that were replaced, and
/// those that stay because they hold neither the old text nor the new one.
pub(super) fn undo(planned: &[Planned]) -> Result<(usize, Vec<PathBuf>)> {
    let mut replaced = 0;
    let mut kept = Vec::new();
    for file in planned {
        let path = &file.path;
        let (new, old) = (aside(path, "new"), aside(path, "old"));
        if exists(&old)? {
            // Killed between the steps of a swap that takes several.
            fs::rename(&old, &new)?;
        }
        let now = fs::read(path)
            .map(|bytes| digest(&bytes))
            .unwrap_or_default();
        // Before its turn, what lies beside the file is the new text, or a part.
        if now != file.before && exists(&new)? {
            replaced += 1;
            if now == file.after {
                swap(path).with_context(|| format!("cannot restore {}", path.display()))?;
            } else {
                kept.push(path.clone());
            }
        }
        remove(&new)?;
    }
    Ok((replaced, kept))
}

pub(super) fn aside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}"))
}

pub(super) fn exists(path: &Path) -> Result<bool> {
    let exists = path.try_exists();
    exists.with_context(|| format!("cannot look for {}", path.display()))
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
