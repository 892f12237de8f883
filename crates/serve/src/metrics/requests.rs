//! The series of requests, which every thread counts for itself.
//!
//! Threads that count in one place wait for each other's memory, which costs a small
//! request more than counting. So each has a place of its own, and what stands there is
//! added up whenever somebody looks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::local::{LocalHistogramVec, LocalIntCounter, LocalIntCounterVec};
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

/// From the time of a tiny model to the limit of a patient client, in seconds.
const BUCKETS: [f64; 13] = [
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// Those of Seldon's orchestrator, in seconds.
const ORCHESTRATOR_BUCKETS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
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
    places: Vec<Place>,
}

/// The requests of one thread, alone in the lines of memory that processors pass on.
#[derive(Debug)]
#[repr(align(128))]
struct Place(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    requests: LocalIntCounterVec,
    seconds: LocalHistogramVec,
    orchestrator: LocalHistogramVec,
    predictions: LocalIntCounter,
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
                requests: requests.local(),
                seconds: seconds.local(),
                orchestrator: orchestrator.local(),
                predictions: predictions.local(),
            }))
        };
        Ok(Self {
            places: std::iter::repeat_with(place).take(PLACES).collect(),
        })
    }

    /// Counts one answered request.
    pub(super) fn answered(&self, protocol: &str, method: &str, code: &str, time: Duration) {
        if let Some(mut own) = self.own() {
            let labels = [protocol, method, code];
            own.requests.with_label_values(&labels).inc();
            let seconds = own.seconds.with_label_values(&[protocol, method]);
            seconds.observe(time.as_secs_f64());
        }
    }

    /// Counts one request as Seldon's orchestrator would.
    pub(super) fn served(&self, service: &str, method: &str, code: &str, time: Duration) {
        if let Some(mut own) = self.own() {
            let labels = [service, method, code];
            let seconds = own.orchestrator.with_label_values(&labels);
            seconds.observe(time.as_secs_f64());
        }
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
            counted.requests.flush();
            counted.seconds.flush();
            counted.orchestrator.flush();
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
