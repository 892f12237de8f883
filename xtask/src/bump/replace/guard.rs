//! One bump at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Keeps other bumps out as long as it lives.
pub(crate) struct Guard(#[expect(dead_code, reason = "holds the lock")] File);

impl Guard {
    /// Takes the lock of the workspace, which is on a file that no bump replaces.
    ///
    /// # Errors
    /// When another bump holds it.
    pub(crate) fn take(root: &Path) -> Result<Self> {
        let path = root.join("Cargo.toml");
        let file = File::open(&path);
        let file = file.with_context(|| format!("cannot read {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => bail!("another bump is at work here"),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}
