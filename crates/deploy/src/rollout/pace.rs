//! The times of a rollout, and what has lasted for how long.

use std::time::Duration;

/// The times of a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks.
    pub look: Duration,
    /// The rollout's own limit, from the write.
    pub deadline: Duration,
}

impl Pace {
    /// A pace by the time between two looks and the deadline that Kubernetes has,
    /// with a margin for what lies before and after the pods' own start.
    pub fn new(look: Duration, progress_deadline: Duration) -> Self {
        Self {
            look,
            deadline: progress_deadline + look * 10,
        }
    }

    /// How long what could be stale or passing has to stay, to be believed.
    pub(super) fn confirm(&self) -> Duration {
        self.look * 5 / 2
    }

    /// How long a failure that may pass has to stay, to be believed.
    pub(super) fn give_up(&self) -> Duration {
        self.look * 5
    }
}

/// Since when something has been the case without a break.
#[derive(Debug, Default)]
pub(super) struct Since(Option<Duration>);

impl Since {
    /// When it began, if it is the case.
    pub(super) fn begin(&self) -> Option<Duration> {
        self.0
    }

    /// Notes whether it is the case `now`, and returns for how long it has been.
    fn note(&mut self, holds: bool, now: Duration) -> Option<Duration> {
        self.0 = holds.then(|| self.0.unwrap_or(now));
        Some(now.saturating_sub(self.0?))
    }

    pub(super) fn lasts(&mut self, holds: bool, now: Duration, at_least: Duration) -> bool {
        self.note(holds, now).is_some_and(|time| time >= at_least)
    }
}
