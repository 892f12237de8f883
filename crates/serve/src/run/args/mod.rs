//! The command line. Every flag is also an environment variable, where Seldon
//! injects one, under its name.

mod computing;
mod limits;
mod models;
mod pod;
mod ports;
mod watching;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};

use computing::ComputingArgs;
use limits::LimitArgs;
use models::ModelArgs;
use pod::PodArgs;
pub(super) use ports::PortArgs;
use watching::WatchingArgs;
pub(super) use watching::{LogFormat, LogLevel};

const EXAMPLES: &str = "\
Examples:
  serve --model pipelines/iris/model       serve a package on port 9000
  serve --model model --http-port 8080     on another port
  serve --model models --watch             every package below models, also later ones
  serve --registry s3://models/team --model iris --watch --cache /tmp/serve
                                           the latest version of a registry, and later ones
  serve --registry file:///srv/models --model iris:7 --cache /tmp/serve
                                           its version 7
  serve --det-master det.example --det-user ann --model-name dogs --model-version latest \\
        --cache /tmp/serve                 a version of a Determined cluster's registry
  serve --echo                             the conformance model, to try a client
  curl -H 'Content-Type: application/json' localhost:9000/api/v1.0/predictions \\
       -d '{\"data\": {\"ndarray\": [[5.1, 3.5, 1.4, 0.2]]}}'

Exit status: 0 after an orderly end, 1 when the model cannot be loaded or served,
2 for a wrong flag or variable.";

/// Serves a model package: Seldon v1 and Open Inference Protocol.
#[derive(Debug, Parser)]
#[command(name = "serve", disable_version_flag = true, after_help = EXAMPLES, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true, args_override_self = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Print the version and the engine that models run on.
    #[arg(short = 'V', long)]
    pub(super) version: bool,
    #[command(flatten)]
    pub(super) args: Args,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Do nothing, successfully: a preStop hook for images without a shell.
    ///
    /// Without a hook of its own, a container gets one from Seldon's operator
    /// that needs /bin/sh and fails here. The waiting that such a hook is for is
    /// done by the server itself on SIGTERM (--drain-delay), with its readiness
    /// already off, so that the hook need not spend the pod's grace period.
    ///
    /// Example, in the pod: lifecycle: {preStop: {exec: {command: [/serve, prestop]}}}
    #[command(verbatim_doc_comment)]
    Prestop,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) models: ModelArgs,
    #[command(flatten)]
    pub(super) ports: PortArgs,
    #[command(flatten)]
    pub(super) computing: ComputingArgs,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) watching: WatchingArgs,
    #[command(flatten)]
    pub(super) pod: PodArgs,
}

/// Reads command line and environment; what clap prints itself ends the program.
pub(super) fn parse() -> Result<Cli, ExitCode> {
    model::try_parse().map_err(|error| {
        let code = u8::try_from(error.exit_code()).unwrap_or(super::USAGE);
        // There is nobody to tell that there is nobody to tell.
        let _closed = error.print();
        if let Some(variable) = variable_of(&error) {
            eprintln!("note: the value comes from the variable {variable}");
        }
        ExitCode::from(code)
    })
}

/// The environment variable that gave a wrong value: clap names only the flag.
fn variable_of(error: &clap::Error) -> Option<String> {
    let ContextValue::String(flag) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let name = flag.split_whitespace().next()?.strip_prefix("--")?;
    if std::env::args().any(|arg| arg.starts_with(&format!("--{name}"))) {
        return None;
    }
    let command = Cli::command();
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| argument.get_long() == Some(name))?;
    let variable = argument.get_env()?.to_str()?.to_owned();
    std::env::var_os(&variable).map(|_| variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
