//! See `deploy --help`.

use std::process::ExitCode;

use deploy::cli::Cli;

fn main() -> ExitCode {
    match Cli::of_this_process().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
