//! `cargo xtask bump`.

use std::process::ExitCode;

use crate::workspace::Workspace;

/// Raise an image's version everywhere the pipelines name it.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, _workspace: &Workspace) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::SUCCESS)
    }
}
