//! A log in which secrets do not show.

use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _, pipe};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// What stands in the place of a secret.
const MASK: &[u8] = b"***";

/// How long a process that left its group may hold the log up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Copies what a program prints, line by line.
#[derive(Debug)]
pub(super) struct Masking {
    done: Receiver<()>,
}

impl Masking {
    /// Starts to copy to `log`, and gives what the program has to print to.
    pub(super) fn start(values: Vec<String>, log: File) -> Result<(Self, PipeWriter)> {
        let (reader, writer) = pipe().context("cannot make a pipe")?;
        let (tell, done) = channel();
        thread::spawn(move || {
            copy(reader, log, &lines(&values));
            let _ = tell.send(());
        });
        Ok((Self { done }, writer))
    }

    /// Waits until all that was printed is in the log.
    pub(super) fn finish(self) {
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

/// The lines of all values, the longest first, as a value may be part of another.
fn lines(values: &[String]) -> Vec<Vec<u8>> {
    let lines = values.iter().flat_map(|value| value.lines());
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    let mut lines: Vec<Vec<u8>> = lines.map(|line| line.as_bytes().to_vec()).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.len()));
    lines
}

fn copy(reader: PipeReader, mut log: File, values: &[Vec<u8>]) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
        if log.write_all(&masked(&line, values)).is_err() {
            return;
        }
        line.clear();
    }
}

fn masked(line: &[u8], values: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, behind)) = rest.split_first() {
        match values
            .iter()
            .find_map(|value| rest.strip_prefix(&value[..]))
        {
            Some(after) => {
                out.extend_from_slice(MASK);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_value_is_masked() {
        let values = ["se".to_owned(), "secret\nsecond line\n".to_owned()];
        let masked = |text: &str| {
            let out = masked(text.as_bytes(), &lines(&values));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(masked("the secret is secret\n"), "the *** is ***\n");
        assert_eq!(masked("second line"), "***");
        assert_eq!(masked("use"), "u***");
        assert_eq!(masked("nothing"), "nothing");
    }
}
