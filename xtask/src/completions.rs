//! `cargo xtask completions`.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;

/// Print a completion script for a shell.
///
/// The script completes `xtask` and its flags after `cargo xtask`, by a function
/// that calls itself `xtask`: shells complete `cargo` on their own.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask completions bash > ~/.local/share/bash-completion/completions/xtask
  alias xtask='cargo xtask'")]
pub(crate) struct Args {
    shell: Shell,
}

impl Args {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut command = Cli::command().name("xtask").bin_name("xtask");
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "xtask", &mut script);
        std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
        Ok(ExitCode::SUCCESS)
    }
}
