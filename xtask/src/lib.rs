//! The tools of this workspace; see `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod backbone;
mod bench;
mod bump;
mod cargo;
mod check;
mod completions;
mod descriptor;
mod images;
mod interrupt;
mod local;
mod onnxruntime;
mod pipelines;
mod process;
mod programs;
#[cfg(test)]
mod reference;
mod refs;
mod registry;
mod report;
mod secrets;
mod shares;
mod workspace;

use workspace::Workspace;

/// From a commit of data to a served prediction, on a laptop or a cluster.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// A file or folder of `src` for each, under its name.
#[derive(Subcommand)]
enum Command {
    Images(images::Args),
    Bump(bump::Args),
    Check(check::Args),
    Pipelines(pipelines::Args),
    Local(local::Args),
    Backbone(backbone::Args),
    Onnxruntime(onnxruntime::Args),
    Bench(bench::Args),
    Completions(completions::Args),
}

/// Reads the command line and does what it says. The exit code is 0 when all is
/// done or nothing was to do, 1 when something failed or was refused; wrong
/// usage ends the process with 2.
#[must_use]
pub fn run() -> ExitCode {
    match dispatch(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            report::error(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match cli.command {
        Command::Images(args) => args.run(&workspace),
        Command::Bump(args) => args.run(&workspace),
        Command::Check(args) => args.run(&workspace),
        Command::Pipelines(args) => args.run(&workspace),
        Command::Local(args) => args.run(&workspace),
        Command::Backbone(args) => args.run(&workspace),
        Command::Onnxruntime(args) => args.run(&workspace),
        Command::Bench(args) => args.run(&workspace),
        Command::Completions(args) => args.run(),
    }
}
