//! Python environments with the peers that are measured beside.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::programs;
use crate::workspace::Workspace;

/// The bin folder of the environment called `name`, in which `packages` are installed if
/// they are not.
pub(super) fn install(
    sh: &Shell,
    workspace: &Workspace,
    name: &str,
    packages: &[&str],
) -> Result<PathBuf> {
    let folder = programs::target_folder(workspace)?
        .join("python")
        .join(name);
    filled(sh, &folder, packages)
        .with_context(|| format!("cannot install {name}; python3 with venv is needed"))
}

fn filled(sh: &Shell, folder: &Path, packages: &[&str]) -> Result<PathBuf> {
    let bin = folder.join("bin");
    let done = folder.join("installed");
    let wanted = packages.join(" ");
    if sh.read_file(&done).is_ok_and(|found| found == wanted) {
        return Ok(bin);
    }
    cmd!(sh, "python3 -m venv {folder}").quiet().run()?;
    let pip = bin.join("pip");
    cmd!(
        sh,
        "{pip} install --quiet --disable-pip-version-check {packages...}"
    )
    .quiet()
    .run()?;
    sh.write_file(&done, wanted)?;
    Ok(bin)
}
