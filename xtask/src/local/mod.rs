//! `cargo xtask local`.

use std::process::ExitCode;

use crate::workspace::Workspace;

/// Run a use case the whole way, from its data to a served prediction.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, _workspace: &Workspace) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::SUCCESS)
    }
}
