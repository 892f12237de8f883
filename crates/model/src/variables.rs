//! Command lines whose flags are also variables of the environment.

use std::env;

use clap::builder::Resettable;
use clap::{Arg, Command};

/// `command`, and its subcommands, without the variables that are set to nothing: a
/// descriptor that leaves a value open says nothing by it.
#[must_use]
pub fn without_empty_variables(command: Command) -> Command {
    command
        .mut_args(unless_empty)
        .mut_subcommands(without_empty_variables)
}

fn unless_empty(arg: Arg) -> Arg {
    let value = arg.get_env().and_then(env::var_os);
    match value.is_some_and(|value| value.is_empty()) {
        true => arg.env(Resettable::Reset),
        false => arg,
    }
}
