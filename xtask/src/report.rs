//! Talk for people, on stderr, in cargo's own look; results go to stdout.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const CARE: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// `   Building serve`: what happens now, the verb in twelve columns.
pub(crate) fn status(verb: &str, text: impl Display) {
    line(GOOD, &format!("{verb:>12}"), text);
}

/// `warning: …`: something to know that stops nothing.
pub(crate) fn warning(text: impl Display) {
    line(CARE, "warning:", text);
}

/// `error: …`: something that makes the command fail.
pub(crate) fn error(text: impl Display) {
    line(BAD, "error:", text);
}

/// Shows how long `text` has been going on, on a terminal only; the next line
/// of any kind replaces it.
pub(crate) fn progress(verb: &str, text: impl Display) {
    if std::io::stderr().is_terminal() {
        let mut stderr = anstream::stderr().lock();
        // A closed stderr must not end the work.
        let _ = write!(stderr, "\r\x1b[2K{GOOD}{verb:>12}{GOOD:#} {text}\r");
        let _ = stderr.flush();
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn line(style: Style, head: &str, text: impl Display) {
    let clear = if std::io::stderr().is_terminal() {
        "\r\x1b[2K"
    } else {
        ""
    };
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "{clear}{style}{head}{style:#} {text}");
}
