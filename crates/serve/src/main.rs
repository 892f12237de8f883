//! See `serve --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    serve::run::main()
}
