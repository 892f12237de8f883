//! See `train --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    train::run(&train::Command::parse())
}
