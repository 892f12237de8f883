//! `cargo xtask images`.

use std::process::ExitCode;

use crate::workspace::Workspace;

/// Build the images of train, deploy and serve, and push them.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, _workspace: &Workspace) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::SUCCESS)
    }
}
