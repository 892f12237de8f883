//! Compiles the programs, once for all images and local runs.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::Builder;
use xshell::{Cmd, Shell, cmd};

use crate::workspace::Workspace;

/// Stands between cargo and the compiler, and links some programs statically.
const WRAPPER: &str = include_str!("rustc.sh");

/// Compiles `names` as release binaries, linked as in their images, and gives the
/// folder they lie in.
///
/// # Errors
/// When cargo fails; it has said why.
pub(crate) fn build(workspace: &Workspace, names: &[&str]) -> Result<PathBuf> {
    build_for(workspace, names, &host_target()?, true)
}

/// Compiles `names` as release binaries for `target`, and gives the folder they lie
/// in. They hold the C library, and need no other; `with_libraries`, a loader finds it
/// for those whose images hold it.
///
/// All programs are selected and only the binaries of `names` are compiled: the
/// features of shared dependencies are then the same whatever is asked for, and
/// so are the bytes. A tool that is in no image may be named as well: what it shares
/// with the programs is compiled once.
///
/// # Errors
/// When cargo fails; it has said why.
pub(crate) fn build_for(
    workspace: &Workspace,
    names: &[&str],
    target: &str,
    with_libraries: bool,
) -> Result<PathBuf> {
    let mut folder = target_folder(workspace)?;
    let wrapper = wrapper(&folder)?;
    let (takers, mut fixed): (Vec<&str>, Vec<&str>) = names
        .iter()
        .partition(|name| workspace.takes_libraries(name));
    // Cargo does not see how a program is linked, so that one that may be linked in
    // either way has a folder for each.
    if !with_libraries && !takers.is_empty() {
        fixed.extend(takers);
        folder.push("static");
    }
    let sh = Shell::new()?;
    sh.change_dir(&workspace.root);
    let binaries: Vec<String> = names.iter().map(|name| format!("--bin={name}")).collect();
    let cargo = cargo();
    let build = cmd!(sh, "{cargo} build --release {binaries...}");
    let images = workspace.images.iter().map(|image| image.name.as_str());
    let all: BTreeSet<&str> = images.chain(names.iter().copied()).collect();
    let how = (&all, &*folder, target, &*fixed);
    let build = alike(build, &sh, workspace, &wrapper, how)?;
    build.quiet().run().context("the programs do not compile")?;
    Ok(folder.join(target).join("release"))
}

/// The `cargo bench` or `cargo test --release` that `command` is, compiling as [`build`]
/// does: what both need is compiled once, and the programs are those of the images.
///
/// # Errors
/// When the manifests do not parse.
pub(crate) fn measuring<'a>(
    command: Cmd<'a>,
    sh: &Shell,
    workspace: &Workspace,
) -> Result<Cmd<'a>> {
    let folder = target_folder(workspace)?;
    let wrapper = wrapper(&folder)?;
    let images = workspace.images.iter().map(|image| image.name.as_str());
    let all: BTreeSet<&str> = images.collect();
    let of_itself = |name: &&&str| !workspace.takes_libraries(name);
    let fixed: Vec<&str> = all.iter().filter(of_itself).copied().collect();
    let target = host_target()?;
    let how = (&all, &*folder, &*target, &*fixed);
    alike(command, sh, workspace, &wrapper, how)
}

/// What `command` compiles of the packages for the target goes into the folder, and
/// `fixed` programs hold the C library.
fn alike<'a>(
    command: Cmd<'a>,
    sh: &Shell,
    workspace: &Workspace,
    wrapper: &Path,
    (packages, folder, target, fixed): (&BTreeSet<&str>, &Path, &str, &[&str]),
) -> Result<Cmd<'a>> {
    let packages = packages.iter().map(|name| format!("--package={name}"));
    let command = command
        .args(["--locked", "--target", target])
        .args(packages);
    let mut command = without_the_caller(command)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(sh, workspace)?)
        .env("CARGO_TARGET_DIR", folder)
        .env("RUSTC_WRAPPER", wrapper)
        .env("XTASK_STATIC", fixed.join(" "));
    if let Some(other) = std::env::var_os("RUSTC_WRAPPER") {
        command = command.env("XTASK_RUSTC_WRAPPER", other);
    }
    Ok(command)
}

/// Puts the wrapper below `folder`. It stays the same file while it says the same, as
/// others may be running it.
fn wrapper(folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("xtask");
    let place = folder.join("rustc.sh");
    if fs::read_to_string(&place).is_ok_and(|text| text == WRAPPER) {
        return Ok(place);
    }
    let executable = fs::Permissions::from_mode(0o755);
    let write = || -> Result<()> {
        fs::create_dir_all(&folder)?;
        let mut aside = Builder::new()
            .permissions(executable)
            .tempfile_in(&folder)?;
        aside.write_all(WRAPPER.as_bytes())?;
        aside.persist(&place)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", place.display()))?;
    Ok(place)
}

/// Compiles `names` without optimisation, to ask them what they take, and gives
/// the folder they lie in.
///
/// # Errors
/// When cargo fails; it has said why.
pub(crate) fn build_to_ask(workspace: &Workspace, names: &[&str]) -> Result<PathBuf> {
    let sh = Shell::new()?;
    sh.change_dir(&workspace.root);
    let packages = names.iter().map(|name| format!("--package={name}"));
    let packages: Vec<String> = packages.collect();
    let cargo = cargo();
    let build = cmd!(sh, "{cargo} build --quiet --locked --bins {packages...}");
    without_the_caller(build)
        .quiet()
        .run()
        .context("the programs do not compile")?;
    Ok(target_folder(workspace)?.join("debug"))
}

/// The folder that cargo writes to, absolute.
///
/// # Errors
/// When the workspace's manifests do not parse.
pub(crate) fn target_folder(workspace: &Workspace) -> Result<PathBuf> {
    let sh = Shell::new()?;
    sh.change_dir(&workspace.root);
    let cargo = cargo();
    let metadata = cmd!(sh, "{cargo} metadata --format-version 1 --no-deps");
    let metadata: Value = serde_json::from_str(&metadata.quiet().read()?)?;
    let folder = metadata.get("target_directory").and_then(Value::as_str);
    folder
        .map(PathBuf::from)
        .context("cargo metadata names no target_directory")
}

/// What decides on the bytes of a program besides its sources: the compiler,
/// and the flags that do not tell of this machine.
///
/// # Errors
/// When rustc cannot be run.
pub(crate) fn compiler() -> Result<String> {
    let sh = Shell::new()?;
    let version = cmd!(sh, "rustc -vV").quiet().read()?;
    Ok(format!("{version}{WRAPPER}"))
}

/// Keeps the paths of this machine out of the binary.
fn flags(sh: &Shell, workspace: &Workspace) -> Result<String> {
    let sysroot = cmd!(sh, "rustc --print sysroot").quiet().read()?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    // rustc takes the last prefix that fits.
    let mut flags: Vec<String> = home
        .map(|home| remap(&home, "/cargo"))
        .into_iter()
        .collect();
    flags.push(remap(Path::new(&sysroot), "/rustc"));
    flags.push(remap(&workspace.root, "/workspace"));
    // How cargo takes flags that may hold blanks.
    Ok(flags.join("\x1f"))
}

/// Removes what `cargo run` tells xtask of itself. Build scripts that watch these
/// variables (that of ring does) would run anew, and all that is built on them,
/// whenever xtask is started in another way.
fn without_the_caller(command: Cmd<'_>) -> Cmd<'_> {
    let names = std::env::vars_os().map(|(name, _)| name);
    let of_xtask = names.filter(|name| {
        let name = name.to_string_lossy();
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
            .iter()
            .any(|start| name.starts_with(start))
    });
    of_xtask.fold(command, Cmd::env_remove)
}

/// The cargo that runs xtask, or any.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The target of this machine, as `x86_64-unknown-linux-gnu`.
///
/// # Errors
/// When it is no Linux.
pub(crate) fn host_target() -> Result<String> {
    let sh = Shell::new()?;
    let version = cmd!(sh, "rustc -vV").quiet().read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc -vV names no host")?;
    if !host.contains("linux") {
        bail!("this host is {host}; images hold Linux binaries");
    }
    Ok(host.to_owned())
}
