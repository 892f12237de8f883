//! See `deploy --help`.

use std::process::ExitCode;

use deploy::cli::Cli;

fn main() -> ExitCode {
    let cli: Cli = model::try_parse().unwrap_or_else(|error| error.exit());
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
