//! `cargo xtask check`.

use std::process::ExitCode;

use crate::workspace::Workspace;

/// Check that crates, containers and pipelines agree.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, _workspace: &Workspace) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::SUCCESS)
    }
}
