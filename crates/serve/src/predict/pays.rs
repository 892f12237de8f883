//! Whether it pays to answer several requests by one run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Joined runs whose requests are also run one by one, to compare answers and times.
const TRIALS: u32 = 4;

/// How many chances to join requests are taken in the way that pays before one is
/// taken in the other, to see whether that still holds.
const EVERY: u32 = 32;

/// Joined, a row must take less than this part of its time alone: those who come
/// first wait for the others.
const GAIN: f64 = 0.9;
/// Where requests are joined already, they are until it takes more than this part.
const LOSS: f64 = 0.95;

/// A time counts for at most this many times the average: a thread may be
/// interrupted for long.
const OUTLIER: f64 = 4.0;

/// How requests that wait together are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Each by itself.
    Alone,
    /// By one run.
    Joined,
    /// Both, with the answers of [`Way::Alone`].
    Trial,
}

/// What a row has taken in either way, measured while others waited.
#[derive(Debug, Default)]
pub(super) struct Pays(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_forbidden: bool,
    pays: bool,
    trials: u32,
    turn: u32,
    alone: Average,
    joined: Average,
}

/// A moving average in seconds; `None` while nothing is known.
#[derive(Debug, Default)]
struct Average(Option<f64>);

impl Average {
    #[expect(clippy::cast_precision_loss, reason = "there are not as many rows")]
    fn add(&mut self, rows: usize, time: Duration) {
        let seconds = time.as_secs_f64() / rows.max(1) as f64;
        self.0 = Some(self.0.map_or(seconds, |average| {
            average + (seconds.min(OUTLIER * average) - average) / 8.0
        }));
    }
}

impl Pays {
    /// How to take a chance to join requests.
    pub(super) fn way(&self) -> Way {
        let mut state = self.state();
        if state.is_forbidden {
            return Way::Alone;
        }
        if state.trials < TRIALS {
            return Way::Trial;
        }
        state.turn = (state.turn + 1) % EVERY;
        match state.pays == (state.turn != 0) {
            true => Way::Joined,
            false => Way::Alone,
        }
    }

    /// Takes note of a run of one request; gives whether joining pays.
    pub(super) fn alone(&self, rows: usize, time: Duration) -> bool {
        let mut state = self.state();
        state.alone.add(rows, time);
        state.judge()
    }

    /// Takes note of a run of several; gives whether joining pays.
    pub(super) fn joined(&self, rows: usize, time: Duration) -> bool {
        let mut state = self.state();
        state.joined.add(rows, time);
        state.judge()
    }

    /// Takes note of a trial with the same answers in both ways; gives whether
    /// joining pays.
    pub(super) fn tried(&self, rows: usize, alone: Duration, joined: Duration) -> bool {
        let mut state = self.state();
        state.trials += 1;
        // The first run with many rows finds no memory of their size.
        if state.trials > 1 {
            state.alone.add(rows, alone);
            state.joined.add(rows, joined);
        }
        state.judge()
    }

    /// Joins no more: the answers differ.
    pub(super) fn forbid(&self) {
        self.state().is_forbidden = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn judge(&mut self) -> bool {
        if let (Some(alone), Some(joined)) = (self.alone.0, self.joined.0) {
            let part = if self.pays { LOSS } else { GAIN };
            self.pays = joined < part * alone;
        }
        self.pays && !self.is_forbidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// After trials of 8 rows that take this many milliseconds in either way.
    fn tried(alone: u32, joined: u32) -> Pays {
        let pays = Pays::default();
        for _ in 0..TRIALS {
            assert_eq!(pays.way(), Way::Trial);
            pays.tried(8, alone * MS, joined * MS);
        }
        pays
    }

    fn ways(pays: &Pays) -> [usize; 2] {
        let ways: Vec<Way> = (0..EVERY).map(|_| pays.way()).collect();
        let count = |wanted| ways.iter().filter(|way| **way == wanted).count();
        [count(Way::Alone), count(Way::Joined)]
    }

    #[test]
    fn the_cheaper_way_is_taken_and_the_other_tried_now_and_then() {
        assert_eq!(ways(&tried(16, 4)), [1, 31]);
        assert_eq!(ways(&tried(16, 16)), [31, 1]);
        assert_eq!(ways(&tried(16, 15)), [31, 1], "too little is gained");
    }

    #[test]
    fn it_follows_what_changes() {
        let pays = tried(16, 4);
        assert!(pays.joined(8, 100 * MS), "one interruption changes nothing");
        assert!(!(0..40).all(|_| pays.joined(8, 20 * MS)));
        assert_eq!(ways(&pays), [31, 1]);
        assert!((0..40).any(|_| pays.alone(1, 10 * MS)));
        assert_eq!(ways(&pays), [1, 31]);
    }

    #[test]
    fn what_changes_answers_is_not_done_again() {
        let pays = Pays::default();
        pays.forbid();
        assert_eq!(ways(&pays), [32, 0]);
    }
}
