//! The tools of this workspace; see `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bump;
mod check;
mod images;
mod local;
mod programs;
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
    Local(local::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match cli.command {
        Command::Images(args) => args.run(&workspace),
        Command::Bump(args) => args.run(&workspace),
        Command::Check(args) => args.run(&workspace),
        Command::Local(args) => args.run(&workspace),
    }
}
