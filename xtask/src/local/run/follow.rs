//! Shows on a terminal how far a job has come.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::report;

/// How often the log is looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// How much is read of the log's end, in bytes.
const END: u64 = 1024;

/// How much of a line is shown, in characters: more would need a second line on a
/// narrow terminal, and that would stay.
const MOST_CHARACTERS: usize = 54;

/// Shows the last line of a log, and the seconds since it began, until it is dropped.
pub(super) struct Following {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Following {
    /// Begins, where there is a terminal to show it on.
    pub(super) fn start(log: &Path) -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let (end, ended) = mpsc::channel();
        let (log, begin) = (log.to_owned(), Instant::now());
        let thread = thread::spawn(move || {
            while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                show(&log, begin);
            }
        });
        Some(Self {
            end: Some(end),
            thread: Some(thread),
        })
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            // It ends at once, and has nothing to say.
            let _ = thread.join();
        }
    }
}

fn show(log: &Path, begin: Instant) {
    // A log that cannot be read now is told by the job.
    let line = last_line(log).unwrap_or_default();
    report::progress("", format_args!("{line} ({} s)", begin.elapsed().as_secs()));
}

/// The begin of the last whole line.
fn last_line(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    let end = String::from_utf8_lossy(&end);
    let whole = end.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let line = whole.rsplit('\n').next().unwrap_or_default();
    let shown = line.chars().filter(|c| !c.is_control());
    Ok(shown.take(MOST_CHARACTERS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_line_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for (text, expected) in [
            ("", ""),
            ("one", ""),
            ("one\ntwo\n\x1b[2Kthr", "two"),
            ("one\n\x1b[2Kthree\n", "[2Kthree"),
        ] {
            std::fs::write(&log, text).unwrap();
            assert_eq!(last_line(&log).unwrap(), expected, "{text:?}");
        }
        std::fs::write(&log, format!("{}\n", "x".repeat(5000))).unwrap();
        assert_eq!(last_line(&log).unwrap().len(), MOST_CHARACTERS);
    }
}
