//! Talk on standard error, results on standard output.
//!
//! Both are plain whole lines, as Pachyderm keeps every line as a log record of
//! its own. A reader that has gone away is no reason to stop a training.

use std::fmt::Arguments;
use std::io::{Write, stderr, stdout};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long nothing is said of work under way.
const PAUSE: Duration = Duration::from_secs(5);

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

/// Work in equal pieces, of which a line is said every few seconds: the share that
/// is done, and the time that the rest will take at this pace.
pub(crate) struct Progress {
    what: &'static str,
    all: usize,
    begin: Instant,
    state: Mutex<State>,
}

struct State {
    done: usize,
    said: Instant,
}

impl Progress {
    /// `all` pieces of work, of which is said that they are `what`: `embedded`.
    pub(crate) fn new(what: &'static str, all: usize) -> Self {
        let begin = Instant::now();
        Self {
            what,
            all,
            begin,
            state: Mutex::new(State {
                done: 0,
                said: begin,
            }),
        }
    }

    /// So many pieces more are done.
    pub(crate) fn advance(&self, pieces: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += pieces;
        if state.said.elapsed() < PAUSE {
            return;
        }
        state.said = Instant::now();
        let share = state.done as f64 / self.all.max(1) as f64;
        let left = self.begin.elapsed().as_secs_f64() * (1.0 / share - 1.0).max(0.0);
        step(format_args!(
            "{} {:.0} %, {left:.0} s left",
            self.what,
            share * 100.0
        ));
    }
}
