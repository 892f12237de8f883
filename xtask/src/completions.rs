//! `cargo xtask completions`.

use std::io::Write;
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
        std::io::stdout().lock().write_all(&script(self.shell))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut command = Cli::command().name("xtask").bin_name("xtask");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "xtask", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_has_a_script_and_bash_completes_by_it() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            assert!(script.contains("registry-check"), "{shell}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("xtask");
        std::fs::write(&path, script(Shell::Bash)).unwrap();
        for (words, wanted) in [("bu", "bump"), ("images --dr", "--dry-run")] {
            let complete = format!(
                "source {}; COMP_WORDS=(xtask {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
                 _xtask xtask \"${{COMP_WORDS[COMP_CWORD]}}\" x; echo \"${{COMPREPLY[@]}}\"",
                path.display()
            );
            let output = Command::new("bash").args(["-c", &complete]).output();
            let output = output.unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(said.trim(), wanted, "{output:?}");
        }
    }
}
