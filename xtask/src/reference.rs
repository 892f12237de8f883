//! The reference of all commands, docs/commands.md, made of their `--help`.

use std::fmt::Write;

use clap::{Command, CommandFactory};

use crate::Cli;

/// The page.
///
/// # Errors
/// Never, in practice: it writes to memory.
pub(crate) fn page() -> Result<String, std::fmt::Error> {
    let mut page = String::from(
        "# Commands\n\n\
         Made of `--help`; a test keeps it so. After a change of a flag, run\n\
         `UPDATE_EXPECTED=1 cargo test -p xtask --lib reference`.\n",
    );
    let mut top = hide_values(Cli::command()).term_width(100);
    top.build();
    section(&mut page, &mut top)?;
    Ok(page)
}

/// What a variable holds here and now is nothing for a page.
fn hide_values(command: Command) -> Command {
    let command = command.mut_args(|argument| argument.hide_env_values(true));
    command.mut_subcommands(hide_values)
}

fn section(page: &mut String, command: &mut Command) -> std::fmt::Result {
    let name = command
        .get_bin_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let help = command.render_long_help().to_string();
    let lines = help.lines().map(str::trim_end);
    let help = lines.collect::<Vec<_>>().join("\n");
    write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end())?;
    for inner in command.get_subcommands_mut() {
        if inner.get_name() != "help" {
            section(page, inner)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn docs_hold_the_present_reference() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands.md");
        let page = page().unwrap();
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let written = fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == page,
            "docs/commands.md is not current; its first lines say what to run"
        );
    }

    #[test]
    fn every_command_has_an_example() {
        let mut top = Cli::command();
        for command in top.get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:"), "{}", command.get_name());
        }
    }
}
