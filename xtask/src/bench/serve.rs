//! The server beside those that it replaces, which are installed for this.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::programs;
use crate::workspace::Workspace;

/// The Python servers: the folder of their environment, and what is installed.
const PEERS: [(&str, &str, &[&str]); 2] = [
    (
        "SELDON_BIN",
        "seldon-core",
        &["setuptools<80", "seldon-core==1.18.2"],
    ),
    (
        "MLSERVER_BIN",
        "mlserver",
        // Its workers do not load a model with a newer uvloop.
        &["mlserver==1.7.1", "uvloop==0.21.0"],
    ),
];

pub(super) fn run(workspace: &Workspace) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(&workspace.root);
    let target = programs::target_folder(workspace)?;
    for (variable, name, packages) in PEERS {
        let bin = install(&sh, &target.join("python").join(name), packages)
            .with_context(|| format!("cannot install {name}; python3 with venv is needed"))?;
        sh.set_var(variable, bin);
    }
    let cargo = programs::cargo();
    let bench = cmd!(sh, "{cargo} bench --package serve --bench peers --locked");
    Ok(bench.quiet().run()?)
}

/// The bin folder of a Python environment that has `packages`.
fn install(sh: &Shell, folder: &Path, packages: &[&str]) -> Result<PathBuf> {
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
