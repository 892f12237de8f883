//! How far requests to one model are joined.

use std::time::Duration;

use model::TensorSignature;

use super::pays::{Pays, Way};
use crate::metrics::{JoinSeries, Joins};

/// What the deployment allows.
#[derive(Debug, Clone)]
pub(crate) struct Batching {
    /// The most rows, pictures or texts of a run of several requests; 0 and 1 join none.
    pub(crate) size: usize,
    /// How long a request may wait for others while a thread is there for it.
    pub(crate) delay: Duration,
    /// Where runs are counted.
    pub(crate) series: JoinSeries,
}

/// What is known of the runs of one model.
#[derive(Debug)]
pub(super) struct Joining {
    /// The most rows of a run of several requests.
    pub(super) most: usize,
    /// As [`Batching::delay`].
    pub(super) delay: Duration,
    pays: Pays,
    series: Joins,
}

impl Joining {
    /// For the model of this name and version, whose graph has `inputs` and should
    /// not run with more than `bound` rows.
    pub(super) fn new(
        batching: &Batching,
        (name, version): (&str, &str),
        inputs: &[TensorSignature],
        bound: usize,
    ) -> Self {
        let is_free = |input: &TensorSignature| input.shape.first().is_some_and(|size| *size < 0);
        let most = match inputs.iter().all(is_free) {
            true => batching.size.min(bound),
            false => 1,
        };
        Self {
            most,
            delay: batching.delay,
            pays: Pays::default(),
            series: batching.series.of(name, version),
        }
    }

    /// How to take a chance to join requests.
    pub(super) fn way(&self) -> Way {
        self.pays.way()
    }

    /// Counts a run for so many requests.
    pub(super) fn ran(&self, requests: usize) {
        #[expect(clippy::cast_precision_loss, reason = "there are not as many")]
        self.series.requests.observe(requests as f64);
    }

    /// Takes note of what `rows` rows of one request took while others waited.
    pub(super) fn took_alone(&self, rows: usize, time: Duration) {
        self.show(self.pays.alone(rows, time));
    }

    /// Takes note of what `rows` rows of several requests took in one run.
    pub(super) fn took_joined(&self, rows: usize, time: Duration) {
        self.show(self.pays.joined(rows, time));
    }

    /// Takes note of what the same rows took in both ways.
    pub(super) fn tried(&self, rows: usize, alone: Duration, joined: Duration) {
        self.show(self.pays.tried(rows, alone, joined));
    }

    /// Joins no more, and says why in the log.
    pub(super) fn forbid(&self, reason: &str) {
        tracing::warn!(reason, "requests to the model are answered one by one");
        self.pays.forbid();
        self.show(false);
    }

    fn show(&self, pays: bool) {
        self.series.pays.set(pays.into());
    }
}
