//! Talk on standard error, results on standard output.
//!
//! Both are plain whole lines, as Pachyderm keeps every line as a log record of
//! its own; on a terminal there is a bar below them while something takes its time. A
//! reader that has gone away is no reason to stop a training.

use std::fmt::Arguments;
use std::io::{Write, stderr, stdout};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How long nothing is said of work under way.
const PAUSE: Duration = Duration::from_secs(5);

const BAR: &str = "{msg} [{bar:30}] {percent} %, {eta} left";

/// The bars on the terminal, which make room for every line.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Says what is being done, in one line on standard error.
pub(crate) fn step(line: Arguments<'_>) {
    BARS.suspend(|| {
        let _ = writeln!(stderr().lock(), "{line}");
    });
}

/// Says what a person should look at, in one line on standard error.
pub(crate) fn warn(line: &str) {
    step(format_args!("warning: {line}"));
}

/// The last line of this process, below which is no bar any more.
pub(crate) fn last(line: Arguments<'_>) {
    let _ = BARS.clear();
    BARS.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    step(line);
}

/// Writes the result on standard output.
pub(crate) fn result(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Work in equal pieces, of which a bar on a terminal, and elsewhere a line every few
/// seconds, tells the share that is done, and the time that the rest will take at this
/// pace.
pub(crate) struct Progress {
    what: &'static str,
    all: usize,
    begin: Instant,
    state: Mutex<State>,
    bar: ProgressBar,
}

struct State {
    done: usize,
    said: Instant,
}

impl Progress {
    /// `all` pieces of work, of which is said that they are `what`: `embedded`.
    pub(crate) fn new(what: &'static str, all: usize) -> Self {
        let begin = Instant::now();
        let style = ProgressStyle::with_template(BAR);
        let bar = ProgressBar::new(all as u64)
            .with_message(what)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            what,
            all,
            begin,
            state: Mutex::new(State {
                done: 0,
                said: begin,
            }),
            bar: BARS.add(bar),
        }
    }

    /// So many pieces more are done.
    pub(crate) fn advance(&self, pieces: usize) {
        if !self.bar.is_hidden() {
            self.bar.inc(pieces as u64);
            return;
        }
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

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        BARS.remove(&self.bar);
    }
}
