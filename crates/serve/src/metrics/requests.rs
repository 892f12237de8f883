//! The series of requests, which every thread counts for itself.
//!
//! Threads that count in one place wait for each other's memory, which costs a small
//! request more than counting. So each has a place of its own, and what stands there is
//! added up whenever somebody looks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

/// From the time of a tiny model to the limit of a patient client, in seconds.
const BUCKETS: [f64; 13] = [
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// Those of Seldon's orchestrator (`executor/api/metric/constants.go`), in seconds.
const ORCHESTRATOR_BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// More threads than this share places.
const PLACES: usize = 16;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES;
}

/// The requests of all threads.
#[derive(Debug)]
pub(super) struct Requests {
    requests: IntCounterVec,
    seconds: HistogramVec,
    orchestrator: HistogramVec,
    places: Vec<Place>,
}

/// The requests of one thread, alone in the lines of memory that processors pass on.
#[derive(Debug)]
#[repr(align(128))]
struct Place(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    answered: Known<(LocalIntCounter, LocalHistogram)>,
    served: Known<LocalHistogram>,
    predictions: LocalIntCounter,
}

/// The series with values so far, by their labels. To find one of the few in their order
/// takes less than to hash its labels.
#[derive(Debug)]
struct Known<T>(Vec<(Labels, String, T)>);

/// Two labels of a request; the third is the code of its answer.
pub(crate) type Labels = [&'static str; 2];

impl<T> Known<T> {
    const NONE: Self = Self(Vec::new());

    /// Counts with the series of these labels, which `make` gives when they come for the
    /// first time.
    fn count(
        &mut self,
        (labels, code): (Labels, &str),
        make: impl FnOnce() -> T,
        count: impl FnOnce(&T),
    ) {
        let is_it = |known: &&(Labels, String, T)| known.0 == labels && known.1 == code;
        if let Some((.., series)) = self.0.iter().find(is_it) {
            return count(series);
        }
        let series = make();
        count(&series);
        self.0.push((labels, code.to_owned(), series));
    }

    fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(.., series)| series)
    }
}

impl Requests {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new(
                "serve_requests_total",
                "HTTP requests and gRPC calls by their answer",
            ),
            &["protocol", "method", "code"],
        )?;
        let seconds = HistogramOpts::new(
            "serve_request_seconds",
            "Seconds from the head of a request to the head of its answer",
        );
        let seconds =
            HistogramVec::new(seconds.buckets(BUCKETS.to_vec()), &["protocol", "method"])?;
        let orchestrator = HistogramOpts::new(
            "seldon_api_executor_server_requests_seconds",
            "Requests of clients that came without an orchestrator",
        );
        let orchestrator = HistogramVec::new(
            orchestrator.buckets(ORCHESTRATOR_BUCKETS.to_vec()),
            &["service", "method", "code"],
        )?;
        let predictions = IntCounter::new("serve_predictions_total", "Rows predicted")?;
        registry.register(Box::new(orchestrator.clone()))?;
        registry.register(Box::new(predictions.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        let place = || {
            Place(Mutex::new(Counted {
                answered: Known::NONE,
                served: Known::NONE,
                predictions: predictions.local(),
            }))
        };
        Ok(Self {
            places: std::iter::repeat_with(place).take(PLACES).collect(),
            requests,
            seconds,
            orchestrator,
        })
    }

    /// Counts one answered request with its labels `protocol` and `method`.
    pub(super) fn answered(&self, labels: Labels, code: &str, time: Duration) {
        let Some(mut own) = self.own() else {
            return;
        };
        let [protocol, method] = labels;
        let make = || {
            let requests = self.requests.with_label_values(&[protocol, method, code]);
            let seconds = self.seconds.with_label_values(&labels);
            (requests.local(), seconds.local())
        };
        own.answered
            .count((labels, code), make, |(requests, seconds)| {
                requests.inc();
                seconds.observe(time.as_secs_f64());
            });
    }

    /// Counts one request as Seldon's orchestrator would, with its labels `service` and
    /// `method`.
    pub(super) fn served(&self, labels: Labels, code: &str, time: Duration) {
        let Some(mut own) = self.own() else {
            return;
        };
        let [service, method] = labels;
        let make = || {
            let seconds = &self.orchestrator;
            seconds.with_label_values(&[service, method, code]).local()
        };
        own.served.count((labels, code), make, |seconds| {
            seconds.observe(time.as_secs_f64());
        });
    }

    /// Counts predicted rows.
    pub(super) fn predicted(&self, rows: usize) {
        if let Some(own) = self.own() {
            own.predictions.inc_by(rows as u64);
        }
    }

    /// Adds up what all threads have counted.
    pub(super) fn settle(&self) {
        for place in &self.places {
            let counted = place.counted();
            for (requests, seconds) in counted.answered.all() {
                requests.flush();
                seconds.flush();
            }
            counted.served.all().for_each(LocalHistogram::flush);
            counted.predictions.flush();
        }
    }

    fn own(&self) -> Option<MutexGuard<'_, Counted>> {
        self.places.get(OWN.with(|own| *own)).map(Place::counted)
    }
}

impl Place {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
