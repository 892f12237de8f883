//! Compiles the programs, once for all images and local runs.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::workspace::Workspace;

/// Compiles `names` as release binaries that need no shared library, and gives
/// the folder they lie in.
pub(crate) fn build(workspace: &Workspace, names: &[&str]) -> Result<PathBuf> {
    let sh = Shell::new()?;
    sh.change_dir(&workspace.root);
    let target = host_target(&sh)?;
    let packages: Vec<String> = names
        .iter()
        .map(|name| format!("--package={name}"))
        .collect();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    cmd!(
        sh,
        "{cargo} build --release --target {target} {packages...}"
    )
    .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static")
    .quiet()
    .run()?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    Ok(workspace.root.join(folder).join(target).join("release"))
}

fn host_target(sh: &Shell) -> Result<String> {
    let version = cmd!(sh, "rustc -vV").quiet().read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc -vV names no host")?;
    if !host.contains("linux") {
        bail!("this host is {host}; images hold Linux binaries");
    }
    Ok(host.to_owned())
}
