//! Programs in containers, by the `docker` command.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;
use walkdir::WalkDir;

use super::launch::Call;
use super::process::Start;
use crate::secrets::Mount;

/// Where a container sees the files of the last successful output.
pub(super) const LAST: &str = "/last";

/// The ID of a local image.
///
/// # Errors
///
/// When there is none, or docker cannot be asked.
pub(super) fn image_id(image: &str) -> Result<String> {
    let mut command = Command::new("docker");
    command.args(["image", "inspect", "--format", "{{.Id}}", image]);
    let asked = command
        .output()
        .context("cannot run docker; is it installed?")?;
    if asked.status.success() {
        return Ok(String::from_utf8_lossy(&asked.stdout).trim().to_owned());
    }
    let words = String::from_utf8_lossy(&asked.stderr);
    if words.to_lowercase().contains("no such image") {
        bail!("the image {image} is not on this machine; build it with \"cargo xtask images\"");
    }
    bail!("docker cannot look up {image}: {}", words.trim())
}

/// `docker run` of a container with a read-only root and no rights.
///
/// Variables are handed over by name, so that no value is on a command line.
pub(super) fn run(name: &str, env: &[(String, String)]) -> Command {
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--interactive", "--name", name]);
    command.args(["--pull", "never", "--read-only", "--cap-drop", "ALL"]);
    command.args(["--security-opt", "no-new-privileges", "--tmpfs", "/tmp"]);
    for (key, value) in env {
        if matches!(key.as_str(), "PATH" | "HOME") || key.starts_with("DOCKER_") {
            // By name it would change docker itself.
            command.arg("--env").arg(format!("{key}={value}"));
        } else {
            command.args(["--env", key]).env(key, value);
        }
    }
    command
}

/// The container that runs a datum, without a network.
pub(super) fn datum(call: Call<'_>) -> Result<Start> {
    let mut command = run(&call.name, &call.env);
    command.args(["--network", "none"]);
    let user = match call.user {
        Some(user) => Some(asked_for(user)?),
        None => lent_user()?,
    };
    if call.user.is_some() || user.is_none() {
        let_everybody_write(call.pfs)?;
    }
    if let Some(user) = user {
        command.args(["--user", &user]);
    }
    command.args(["--mount", &bind(call.pfs, "/pfs")]);
    if let Some(last) = call.last {
        command.args(["--mount", &format!("{},readonly", bind(last, LAST))]);
    }
    for (index, mount) in call.mounts.iter().enumerate() {
        let folder = call.pfs.with_file_name(format!("secret-{index}"));
        show(mount, &folder)?;
        let bound = format!("{},readonly", bind(&folder, &mount.path));
        command.args(["--mount", &bound]);
    }
    if let Some(folder) = call.working_dir {
        command.args(["--workdir", folder]);
    }
    let (program, arguments) = call.cmd.split_first().context("transform.cmd is empty")?;
    command.args(["--entrypoint", program, call.image]);
    command.args(arguments);
    Ok(Start {
        command,
        container: Some(call.name),
        stdin: call.stdin,
        masked: Vec::new(),
    })
}

/// The value of `--mount` that shows the folder `source` at `target`.
pub(super) fn bind(source: &Path, target: &str) -> String {
    // A CSV record: quotes let a comma pass.
    format!("type=bind,\"source={}\",target={target}", source.display())
}

/// Who the container runs as, unless it is the image's own user.
///
/// What it writes must belong to the caller. For root that holds whoever writes;
/// any other caller lends its own ID and the group that OpenShift gives; and where
/// docker runs without root, the container's root is the caller.
fn lent_user() -> Result<Option<String>> {
    let mut command = Command::new("docker");
    command.args(["info", "--format", "{{.SecurityOptions}}"]);
    let asked = command.output().context("cannot run docker")?;
    if String::from_utf8_lossy(&asked.stdout).contains("name=rootless") {
        return Ok(Some("0:0".to_owned()));
    }
    let caller = geteuid();
    Ok((!caller.is_root()).then(|| format!("{}:0", caller.as_raw())))
}

/// The user that a descriptor asks for. Kubernetes gives a number its own group.
fn asked_for(user: &str) -> Result<String> {
    if !geteuid().is_root() {
        bail!(
            "transform.user {user:?} would write files that only root can remove; run this as root"
        );
    }
    let is_number = user.bytes().all(|byte| byte.is_ascii_digit());
    Ok(if is_number {
        format!("{user}:{user}")
    } else {
        user.to_owned()
    })
}

/// Writes a secret as the files that a container will see.
fn show(mount: &Mount, folder: &Path) -> Result<()> {
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        for (name, value) in &mount.files {
            fs::write(folder.join(name), value)?;
        }
        Ok(())
    };
    write().with_context(|| format!("cannot show a secret at {}", mount.path))
}

/// A worker's files belong to its program; these are lent to another user.
fn let_everybody_write(folder: &Path) -> Result<()> {
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        let mode = if entry.file_type().is_dir() {
            0o777
        } else {
            0o666
        };
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot set the mode of {}", entry.path().display()))?;
    }
    Ok(())
}
