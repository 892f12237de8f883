//! The process: settings, load, serve, drain.

mod annotations;
mod args;
mod drain;
mod files;
mod latest;
mod logging;
mod origin;
mod parameters;
mod server;
mod settings;
mod version;

use std::process::ExitCode;

use args::Command;
use settings::Settings;

/// Wrong usage: a flag or variable that cannot be used.
const USAGE: u8 = 2;

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = match args::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    if let Some(Command::Prestop) = cli.command {
        return ExitCode::SUCCESS;
    }
    if cli.version {
        return version::print(cli.args);
    }
    let settings = match Settings::check(cli.args) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(USAGE);
        }
    };
    logging::start(settings.log_level, settings.log_format);
    match server::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
