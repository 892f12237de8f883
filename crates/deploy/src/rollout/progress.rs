//! What a person reads while a rollout is under way.

use tokio::time::Instant;

use super::{Expected, Seen, State, Status, Verdict};

/// One line for each change, on stderr.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    last: String,
}

impl Progress {
    /// Starts the clock.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            last: String::new(),
        }
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Prints the line, unless it was the last one too.
    pub fn say(&mut self, line: &str) {
        if self.last != line {
            eprintln!("{:7.1} s  {line}", self.seconds());
            line.clone_into(&mut self.last);
        }
    }

    /// Prints what is new in what was seen.
    pub(super) fn seen(&mut self, expected: &Expected, seen: &Seen, verdict: &Verdict) {
        let status = Status::of(expected.kind, &seen.object);
        let mut line = match status.state {
            State::Creating => "creating".to_owned(),
            State::Available => "available".to_owned(),
            State::Failed => format!("failed: {}", status.description),
        };
        if let (pods @ 1.., available) = status.replicas {
            line.push_str(&format!(", {available} of {pods} pods"));
        }
        match verdict {
            Verdict::Waiting(missing) => line.push_str(&format!("; waiting: {missing}")),
            Verdict::Done(_) => line.push_str("; done"),
            Verdict::Failed(reason) | Verdict::Superseded(reason) => {
                line.push_str(&format!("; {reason}"));
            }
        }
        self.say(&line);
    }
}
