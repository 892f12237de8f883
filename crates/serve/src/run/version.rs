//! `serve --version`.

use std::process::ExitCode;

use super::args::Args;
use super::logging;
use super::settings::set;
use crate::predict::Engines;

/// Prints the version in the first line, and in the second one what models run on
/// with these flags and variables.
pub(super) fn print(args: Args) -> ExitCode {
    logging::start(args.log_level, args.log_format);
    println!("serve {}", env!("CARGO_PKG_VERSION"));
    let path = set(args.onnxruntime);
    match Engines::find(args.engine, path.as_deref(), 1) {
        Ok(engines) => {
            let library = engines.library();
            let library = library.map(|path| format!(", {}", path.display()));
            println!("engine: {}{}", engines.name(), library.unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
