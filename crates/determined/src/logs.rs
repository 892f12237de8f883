//! The log of a trial, as a stream that survives interruptions.

use std::collections::{HashSet, VecDeque};

use reqwest::Response;
use serde::Deserialize;

use crate::call::Call;
use crate::wire::or_default;
use crate::{Client, Error};

/// One line of a trial's log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LogLine {
    /// Its identity within the trial.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// When it was written, RFC 3339.
    #[serde(default, deserialize_with = "or_default")]
    pub timestamp: String,
    /// The trial that wrote it.
    #[serde(default, deserialize_with = "or_default")]
    pub trial_id: i64,
    /// `LOG_LEVEL_INFO` and the like.
    #[serde(default, deserialize_with = "or_default")]
    pub level: String,
    #[serde(default, deserialize_with = "or_default")]
    log: String,
    #[serde(default, deserialize_with = "or_default")]
    message: String,
}

impl LogLine {
    /// What was written, without the line's end and, where the master tells them
    /// apart, without the prefix of time and container.
    pub fn text(&self) -> &str {
        let text = if self.log.is_empty() {
            &self.message
        } else {
            &self.log
        };
        text.trim_end_matches(['\r', '\n'])
    }
}

/// A line of the stream: a result, or the error that ends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum StreamLine {
    Result(LogLine),
    Error(StreamError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamError {
    #[serde(default, deserialize_with = "or_default")]
    http_code: u16,
    #[serde(default, deserialize_with = "or_default")]
    message: String,
}

/// No line of a log is longer; what is, is no log.
const LONGEST_LINE: usize = 16 << 20;

/// How many identities are remembered, to drop what a resumed stream repeats.
const REMEMBERED: usize = 10_000;

/// How often a stream that brings nothing new is opened again.
const ATTEMPTS: u32 = 8;

/// Follows the log of one trial from its first line to its end.
///
/// The master sends nothing while nothing is logged, so a quiet stream is not an
/// interrupted one. After an interruption the stream goes on after the last line
/// that came, without repeating or losing any.
pub struct Log {
    client: Client,
    trial: i64,
    stream: Option<Lines>,
    last: Option<String>,
    seen: HashSet<String>,
    order: VecDeque<String>,
    failures: u32,
}

impl Client {
    /// The log of a trial.
    pub fn trial_log(&self, trial: i64) -> Log {
        Log {
            client: self.clone(),
            trial,
            stream: None,
            last: None,
            seen: HashSet::new(),
            order: VecDeque::new(),
            failures: 0,
        }
    }
}

impl Log {
    /// The next line, or `None` after the last: some five seconds after the
    /// trial's task has ended.
    ///
    /// # Errors
    ///
    /// When the stream broke and could not be resumed for about two minutes, or
    /// the master refuses it. What happens to the experiment does not depend on
    /// its log: go on without.
    pub async fn next(&mut self) -> Result<Option<LogLine>, Error> {
        loop {
            match self.advance().await {
                Ok(Some(line)) if !self.remember(&line) => {}
                Ok(Some(line)) => {
                    self.failures = 0;
                    return Ok(Some(line));
                }
                Ok(None) => return Ok(None),
                Err(error) if error.is_transient() && self.failures < ATTEMPTS => {
                    self.stream = None;
                    let pause = self.client.retry().pause * (1 << self.failures);
                    self.failures += 1;
                    tracing::debug!("{error}; resuming the log in {pause:?}");
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn advance(&mut self) -> Result<Option<LogLine>, Error> {
        let trial = self.trial.to_string();
        let mut call = Call::get(&["trials", &trial, "logs"])
            .query("follow", "true")
            .stream();
        if let Some(last) = &self.last {
            call = call.query("timestampAfter", last.as_str());
        }
        let mut lines = match self.stream.take() {
            Some(lines) => lines,
            None => Lines::new(self.client.open(&call).await?),
        };
        let line = lines.next().await.map_err(|e| match e {
            Broken::Connection(error) => call.broken(error),
            Broken::TooLong => call.unexpected("a line without an end"),
        })?;
        let Some(line) = line else { return Ok(None) };
        self.stream = Some(lines);
        match serde_json::from_slice(&line) {
            Ok(StreamLine::Result(line)) => Ok(Some(line)),
            Ok(StreamLine::Error(error)) => Err(call.stream_error(error.http_code, &error.message)),
            Err(error) => Err(call.unexpected(error)),
        }
    }

    /// Whether the line is new.
    fn remember(&mut self, line: &LogLine) -> bool {
        if !line.timestamp.is_empty() {
            self.last = Some(line.timestamp.clone());
        }
        if line.id.is_empty() {
            return true;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(line.id.clone());
        self.seen.insert(line.id.clone())
    }
}

enum Broken {
    Connection(reqwest::Error),
    TooLong,
}

/// The lines of an answer, cut where they end and not where a packet does.
struct Lines {
    response: Response,
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
}

impl Lines {
    fn new(response: Response) -> Self {
        Self {
            response,
            buffer: Vec::new(),
            searched: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            let fresh = self.buffer.iter().skip(self.searched);
            if let Some(found) = fresh.clone().position(|&b| b == b'\n') {
                let rest = self.buffer.split_off(self.searched + found + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST_LINE {
                return Err(Broken::TooLong);
            }
            match self.response.chunk().await.map_err(Broken::Connection)? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.trim_ascii().is_empty() => return Ok(None),
                None => {
                    self.searched = 0;
                    return Ok(Some(std::mem::take(&mut self.buffer)));
                }
            }
        }
    }
}
