//! Forgets a use case.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::use_cases;
use crate::local::publish;
use crate::local::state;
use crate::report;

pub(super) fn forget(root: &Path, use_case: &str) -> Result<()> {
    let folder = root.join(".local").join(use_case);
    // A folder of an older layout has no format, and is forgotten all the same.
    if !crate::descriptor::is_name(use_case) || !folder.join("repos").is_dir() {
        let known = use_cases(root)?.join(", ");
        bail!("nothing is kept of a use case {use_case:?}; of these there is: {known}");
    }
    let locks = state::try_lock_all(&folder)?;
    let _locks =
        locks.with_context(|| format!("{use_case} is running; end that run, then forget it"))?;
    publish::remove(&folder)?;
    report::status(
        "Forgot",
        folder.strip_prefix(root).unwrap_or(&folder).display(),
    );
    Ok(())
}
