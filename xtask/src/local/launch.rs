//! Ways to start a program of an image: its binary as a process, or a container.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::docker;
use super::process::Start;
use super::tree;
use crate::descriptor::Transform;
use crate::images::host_platform;
use crate::secrets::Mount;
use crate::workspace::Workspace;
use crate::{onnxruntime, programs, report};

/// How programs are started.
#[derive(Debug)]
pub(super) enum Launcher {
    /// The workspace's own programs, compiled, as processes.
    Processes {
        /// The folder of the binaries.
        folder: PathBuf,
        /// Their names.
        names: Vec<String>,
        /// The library of ONNX Runtime, if it is here.
        library: Option<PathBuf>,
    },
    /// The images, in containers.
    Docker,
}

/// What the developer's environment gives to a program; nothing else does.
const INHERITED: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// A run of a program over one datum.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) image: &'a str,
    pub(super) cmd: &'a [String],
    pub(super) env: Vec<(String, String)>,
    pub(super) working_dir: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    pub(super) mounts: &'a [Mount],
    /// What the program sees as `/pfs`.
    pub(super) pfs: &'a Path,
    /// The files of the last successful output, where there is one.
    pub(super) last: Option<&'a Path>,
    /// A name that no other running program has.
    pub(super) name: String,
    pub(super) stdin: String,
}

impl Launcher {
    /// Compiles the workspace's programs.
    pub(super) fn processes(workspace: &Workspace) -> Result<Self> {
        let names: Vec<&str> = workspace
            .images
            .iter()
            .map(|image| image.name.as_str())
            .collect();
        Ok(Self::Processes {
            folder: programs::build(workspace, &names)?,
            names: names.into_iter().map(str::to_owned).collect(),
            library: onnxruntime::kept(&workspace.root, &host_platform()?)?
                .map(|folder| folder.join(onnxruntime::LIBRARY)),
        })
    }

    /// Gets the library of ONNX Runtime for processes, if it is not here yet. Where it
    /// cannot be had, they have their built-in engine.
    pub(super) fn get_library(&mut self, workspace: &Workspace) -> Result<()> {
        let Self::Processes { library, .. } = self else {
            return Ok(());
        };
        if library.is_some() {
            return Ok(());
        }
        match onnxruntime::here(&workspace.root) {
            Ok(file) => *library = Some(file),
            Err(error) => {
                let reason = format!("{error:#}").replace('\n', " ");
                report::status(
                    "Without",
                    format_args!("ONNX Runtime, on the built-in engine, more slowly: {reason}"),
                );
            }
        }
        Ok(())
    }

    /// The variable by which processes find the library of ONNX Runtime, if it is here. In
    /// an image, it lies where a program looks for it.
    pub(super) fn variable(&self) -> Option<(&'static str, &Path)> {
        match self {
            Self::Processes { library, .. } => Some(("ORT_DYLIB_PATH", library.as_deref()?)),
            Self::Docker => None,
        }
    }

    /// What tells one build of a program from another.
    pub(super) fn identity(&self, image: &str) -> Result<String> {
        match self {
            Self::Processes { .. } => {
                let binary = self.binary(image)?;
                let entry = tree::digest_file(&binary);
                let entry = entry.with_context(|| format!("cannot read {}", binary.display()))?;
                Ok(format!("sha256:{}", entry.sha256))
            }
            Self::Docker => docker::image_id(image),
        }
    }

    /// The binary of the workspace program that `image` holds.
    ///
    /// # Errors
    ///
    /// When the image is none of the workspace's.
    pub(super) fn binary(&self, image: &str) -> Result<PathBuf> {
        let Self::Processes { folder, names, .. } = self else {
            bail!("{image} is run in a container");
        };
        let name = program_of(image);
        if !names.iter().any(|known| known == name) {
            bail!(
                "the image {image} is none of this workspace's ({}); \
                 run it in a container with --docker",
                names.join(", ")
            );
        }
        Ok(folder.join(name))
    }

    /// Checks that a command can be started this way, without starting it.
    pub(super) fn check(&self, transform: &Transform) -> Result<()> {
        let (image, cmd) = (&transform.image, &transform.cmd);
        if matches!(self, Self::Docker) {
            return docker::image_id(image).map(drop);
        }
        self.binary(image)?;
        let program = cmd.first().map(String::as_str).unwrap_or_default();
        if program.strip_prefix('/').unwrap_or(program) != program_of(image) {
            bail!(
                "transform.cmd starts {program:?}, which is not the program of {image}; \
                 run it in a container with --docker"
            );
        }
        let of_a_container = [
            ("working_dir", transform.working_dir.is_some()),
            ("user", transform.user.is_some()),
            ("secrets[].mount_path", has_mount(transform)),
        ];
        for (field, is_set) in of_a_container {
            if is_set {
                bail!("transform.{field} needs a container; run it with --docker");
            }
        }
        Ok(())
    }

    /// The command that runs `call`.
    pub(super) fn start(&self, call: Call<'_>) -> Result<Start> {
        if matches!(self, Self::Docker) {
            return docker::datum(call);
        }
        let mut command = bare(&self.binary(call.image)?);
        command.args(call.cmd.iter().skip(1));
        command.envs(self.variable());
        command.envs(call.env).env("PFS_ROOT", call.pfs);
        command.current_dir(call.pfs);
        Ok(Start {
            command,
            container: None,
            stdin: call.stdin,
            masked: Vec::new(),
        })
    }
}

fn has_mount(transform: &Transform) -> bool {
    let mut secrets = transform.secrets.iter();
    secrets.any(|secret| secret.mount_path.is_some())
}

/// A command with only what it needs of the developer's environment.
pub(super) fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.envs(
        INHERITED
            .iter()
            .filter_map(|name| Some((name, env::var_os(name)?))),
    );
    command
}

/// The last segment of an image's name: `serve` of `host:5000/project/serve:0.0.1`.
pub(super) fn program_of(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_an_image() {
        for image in [
            "serve",
            "serve:1",
            "h:5000/p/serve",
            "h/serve:1",
            "h:5/serve@sha256:ab",
        ] {
            assert_eq!(program_of(image), "serve", "{image}");
        }
        assert_eq!(program_of("h/serve-canary:1"), "serve-canary");
    }

    #[test]
    fn only_the_workspace_s_programs_are_processes() {
        let launcher = Launcher::Processes {
            folder: "/x".into(),
            names: vec!["train".to_owned()],
            library: None,
        };
        let check = |image: &str, program: &str| {
            let transform = serde_json::json!({"image": image, "cmd": [program]});
            launcher.check(&serde_json::from_value(transform).unwrap())
        };
        check("h/train:1", "/train").unwrap();
        for (image, program) in [("h/other:1", "/other"), ("h/train:1", "/bin/sh")] {
            let error = check(image, program).unwrap_err().to_string();
            assert!(error.contains("--docker"), "{error}");
        }
    }
}
