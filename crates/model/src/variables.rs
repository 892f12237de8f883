//! Command lines whose flags are also variables of the environment.

use std::env;

use clap::builder::Resettable;
use clap::{Arg, Command, Error, Parser};

/// `command`, and its subcommands, without the variables that are set to nothing: a
/// descriptor that leaves a value open says nothing by it.
#[must_use]
pub fn without_empty_variables(command: Command) -> Command {
    command
        .mut_args(unless_empty)
        .mut_subcommands(without_empty_variables)
}

/// What the command line and the variables of this process say, without those that are
/// set to nothing.
///
/// # Errors
///
/// When they are wrong, or ask for help.
pub fn try_parse<P: Parser>() -> Result<P, Error> {
    let matches = without_empty_variables(P::command()).try_get_matches()?;
    P::from_arg_matches(&matches).map_err(|error| error.format(&mut P::command()))
}

fn unless_empty(arg: Arg) -> Arg {
    let value = arg.get_env().and_then(env::var_os);
    match value.is_some_and(|value| value.is_empty()) {
        true => arg.env(Resettable::Reset),
        false => arg,
    }
}
