//! Talk on standard error, results on standard output.
//!
//! Both are plain whole lines, as Pachyderm keeps every line as a log record of
//! its own. A reader that has gone away is no reason to stop a training.

use std::fmt::Arguments;
use std::io::{Write, stderr, stdout};

/// Says what is being done, in one line on standard error.
pub(crate) fn step(line: Arguments<'_>) {
    let _ = writeln!(stderr().lock(), "{line}");
}

/// Says what a person should look at, in one line on standard error.
pub(crate) fn warn(line: &str) {
    let _ = writeln!(stderr().lock(), "warning: {line}");
}

/// Writes the result on standard output.
pub(crate) fn result(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
