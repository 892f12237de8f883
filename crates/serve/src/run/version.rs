//! `serve --version`.

use std::process::ExitCode;

use super::args::Args;
use super::logging;
use super::settings::set;
use crate::predict::find_engines;

/// Prints the version in the first line, and in the second one what models run on
/// with these flags and variables.
pub(super) fn print(args: Args) -> ExitCode {
    logging::start(args.watching.log_level, args.watching.log_format);
    println!("serve {}", env!("CARGO_PKG_VERSION"));
    let path = set(args.computing.onnxruntime);
    match find_engines(args.computing.engine, path.as_deref(), 1) {
        Ok(engines) => {
            println!("engine: {engines}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
