//! See `train --help`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    train::run(&train::Args::parse())
}
