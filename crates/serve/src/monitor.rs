//! Watches what a model is asked: an outlier score for each request, and a drift
//! test for each window of requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::{io, mem};

use crossbeam_channel::{Receiver, Sender, bounded};
use monitor::{Drift, Measure, Reference, Scorer, Window};
use prometheus::local::LocalHistogram;
use serde::Serialize;
use serde_json::Value;

use crate::events::Events;
use crate::metrics::{MonitorSeries, Watched};

/// How requests are watched.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    /// The requests of a window; 0 watches nothing.
    pub(crate) requests: usize,
    /// The probability with which a window of the training distribution may be
    /// called drifted.
    pub(crate) level: f64,
    /// Where it is counted.
    pub(crate) series: MonitorSeries,
    /// Who is told of tests, if anybody.
    pub(crate) events: Option<Events>,
}

/// What is known of the requests to one model.
#[derive(Debug)]
pub(crate) struct Monitor {
    reference: Arc<Reference>,
    scorer: Scorer,
    /// The requests of a window.
    requests: usize,
    open: Mutex<Open>,
    full: Sender<Window>,
    seen: Arc<Seen>,
}

/// The window that is being filled, and what was counted since somebody looked: it is
/// one lock for a request, and no other memory that all threads write to.
#[derive(Debug)]
struct Open {
    window: Window,
    requests: usize,
    scores: LocalHistogram,
    rows: u64,
    outliers: u64,
}

/// What was seen so far.
#[derive(Debug)]
struct Seen {
    series: Watched,
    last: Mutex<Option<Arc<Drift>>>,
}

/// What one request looks like beside the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Outlier {
    /// The highest score of its rows.
    #[serde(rename = "outlier_score")]
    pub(crate) score: f64,
    /// Whether a row's score is higher than those of 99 in 100 training rows.
    pub(crate) is_outlier: bool,
}

impl Outlier {
    /// The name of the score in answers.
    pub(crate) const SCORE: &str = "outlier_score";

    /// The two of them by their names in answers.
    pub(crate) fn tags(self) -> [(&'static str, Value); 2] {
        [
            (Self::SCORE, self.score.into()),
            ("is_outlier", self.is_outlier.into()),
        ]
    }
}

/// The figures of a monitor.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) outliers: Outliers,
    pub(crate) drift: Windows,
}

#[derive(Debug, Serialize)]
pub(crate) struct Outliers {
    /// Rows that were asked about.
    pub(crate) rows: u64,
    /// Those whose score is above `threshold`.
    pub(crate) outliers: u64,
    pub(crate) threshold: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Windows {
    pub(crate) requests_per_window: usize,
    /// Windows that were tested.
    pub(crate) windows: u64,
    /// Those that had drifted.
    pub(crate) drifted: u64,
    /// Those that came faster than they could be tested.
    pub(crate) untested: u64,
    /// The test of the last.
    pub(crate) last: Option<Drift>,
}

impl Monitor {
    /// Starts watching the requests to a model with this name, version and
    /// `reference`; the windows are tested on a thread of their own, which ends
    /// with the monitor.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub(crate) fn start(
        (name, version): (&str, &str),
        reference: Reference,
        watch: &Watch,
    ) -> io::Result<Self> {
        let reference = Arc::new(reference);
        let seen = Arc::new(Seen {
            series: watch.series.of(name, version),
            last: Mutex::new(None),
        });
        let (full, windows) = bounded(1);
        let tester = Tester {
            reference: Arc::clone(&reference),
            seen: Arc::clone(&seen),
            level: watch.level,
            model: name.to_owned(),
            events: watch.events.clone(),
        };
        thread::Builder::new()
            .name("drift".to_owned())
            .spawn(move || tester.work_off(&windows))?;
        Ok(Self {
            scorer: Scorer::new(&reference),
            open: Mutex::new(Open {
                window: Window::new(&reference),
                requests: 0,
                scores: seen.series.scores.local(),
                rows: 0,
                outliers: 0,
            }),
            reference,
            requests: watch.requests,
            full,
            seen,
        })
    }

    /// Whether it wants the embeddings of pictures or texts, not rows of a table.
    pub(crate) fn wants_embeddings(&self) -> bool {
        self.reference.measure == Measure::RootMeanSquare
    }

    /// The number of features that a row must have.
    pub(crate) fn width(&self) -> usize {
        self.reference.features.len()
    }

    /// The score that 99 of 100 training rows do not exceed.
    pub(crate) fn threshold(&self) -> f64 {
        self.reference.threshold
    }

    /// Takes note of the rows of one request.
    pub(crate) fn request(&self, rows: &[f32]) -> Outlier {
        let mut outlier = Outlier {
            score: 0.0,
            is_outlier: false,
        };
        let rows = rows.chunks_exact(self.width().max(1));
        let (mut count, mut above) = (0, 0);
        for row in rows.clone() {
            let score = f64::from(self.scorer.score(row));
            count += 1;
            above += u64::from(score > self.reference.threshold);
            outlier.score = outlier.score.max(score);
        }
        outlier.is_outlier = above > 0;
        let mut open = self.open();
        open.rows += count;
        open.outliers += above;
        open.scores.observe(outlier.score);
        rows.for_each(|row| open.window.add(&self.reference, row));
        open.requests += 1;
        if open.requests >= self.requests {
            open.requests = 0;
            let window = mem::replace(&mut open.window, Window::new(&self.reference));
            drop(open);
            if self.full.try_send(window).is_err() {
                self.seen.series.untested.inc();
            }
        }
        outlier
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the series up to date.
    pub(crate) fn settle(&self) {
        let mut open = self.open();
        let series = &self.seen.series;
        series.rows.inc_by(mem::take(&mut open.rows));
        series.outliers.inc_by(mem::take(&mut open.outliers));
        open.scores.flush();
    }

    /// What was seen so far.
    pub(crate) fn figures(&self) -> Figures {
        self.settle();
        let Seen { series, .. } = &*self.seen;
        Figures {
            outliers: Outliers {
                rows: series.rows.get(),
                outliers: series.outliers.get(),
                threshold: self.reference.threshold,
            },
            drift: Windows {
                requests_per_window: self.requests,
                windows: series.same.get() + series.drifted.get(),
                drifted: series.drifted.get(),
                untested: series.untested.get(),
                last: self.seen.last().as_deref().cloned(),
            },
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Seen {
    fn last(&self) -> MutexGuard<'_, Option<Arc<Drift>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tests full windows, off the path of requests.
struct Tester {
    reference: Arc<Reference>,
    seen: Arc<Seen>,
    level: f64,
    model: String,
    events: Option<Events>,
}

impl Tester {
    fn work_off(&self, windows: &Receiver<Window>) {
        for window in windows {
            let drift = Arc::new(window.test(&self.reference, self.level));
            // The dimensions of an embedding mean nothing to anybody one by one.
            let named = self.reference.measure == Measure::Highest;
            self.seen.series.tested(&drift, named);
            if let Some(events) = &self.events {
                events.tested(self.model.clone(), (*drift).clone());
            }
            let before = self.seen.last().replace(Arc::clone(&drift));
            if before.is_some_and(|before| before.drifted) != drift.drifted {
                tell(&drift);
            }
        }
    }
}

/// One line when drift begins and one when it ends.
fn tell(drift: &Drift) {
    let by_p_value = drift.features.iter();
    let most = by_p_value.min_by(|one, other| one.p_value.total_cmp(&other.p_value));
    let feature = most.map(|feature| feature.name.as_str());
    let (p_value, rows) = (drift.p_value, drift.rows);
    match drift.drifted {
        true => tracing::warn!(feature, p_value, rows, "the requests have drifted"),
        false => tracing::info!(p_value, rows, "the requests have not drifted any more"),
    }
}
