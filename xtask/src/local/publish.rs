//! Files and folders that a reader sees whole or not at all.
//!
//! Made under a name of their own beside the target, flushed, and renamed. What
//! SIGKILL leaves behind has a name that starts with `.partial-`; the next run
//! removes it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use tempfile::{Builder, NamedTempFile, TempDir};

const PREFIX: &str = ".partial-";

/// Replaces the file at `target`, whose folder is made if need be.
pub(super) fn write(target: &Path, content: &[u8]) -> Result<()> {
    let folder = target.parent().context("a file without a folder")?;
    let written = || -> Result<()> {
        let mut file = partial(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(target)?;
        sync(folder)
    };
    written().with_context(|| format!("cannot write {}", target.display()))
}

/// As [`write()`], with `value` as JSON.
pub(super) fn write_json(target: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    write(target, text.as_bytes())
}

/// As [`write_json()`], for what is worth nothing after a power failure.
pub(super) fn note_json(target: &Path, value: &impl Serialize) -> Result<()> {
    let folder = target.parent().context("a file without a folder")?;
    let written = || -> Result<()> {
        let mut file = partial(folder)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.persist(target)?;
        Ok(())
    };
    written().with_context(|| format!("cannot write {}", target.display()))
}

/// A file in the making, in `folder`, which is made if need be.
pub(super) fn partial(folder: &Path) -> Result<NamedTempFile> {
    let make = || Builder::new().prefix(PREFIX).tempfile_in(folder);
    let made = make().or_else(|_| fs::create_dir_all(folder).and_then(|()| make()));
    made.with_context(|| format!("cannot make a file in {}", folder.display()))
}

/// A folder in the making, in `folder`.
pub(super) fn stage(folder: &Path) -> Result<TempDir> {
    let make = || {
        fs::create_dir_all(folder)?;
        Builder::new().prefix(PREFIX).tempdir_in(folder)
    };
    make().with_context(|| format!("cannot make a folder in {}", folder.display()))
}

/// Lets a staged folder appear at `target`, where nothing may be.
pub(super) fn reveal(staged: TempDir, target: &Path) -> Result<()> {
    let revealed = || -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(staged.path(), fs::Permissions::from_mode(0o755))?;
        sync(staged.path())?;
        fs::rename(staged.path(), target)?;
        sync(target.parent().context("a folder without a parent")?)
    };
    revealed().with_context(|| format!("cannot publish {}", target.display()))?;
    // It has its final name: there is nothing left to clean up.
    let _ = staged.keep();
    Ok(())
}

/// Removes what a killed run has left unfinished in `folder`.
pub(super) fn sweep(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file or folder, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// Makes the names in `folder` survive a power failure.
fn sync(folder: &Path) -> Result<()> {
    Ok(File::open(folder)?.sync_all()?)
}
