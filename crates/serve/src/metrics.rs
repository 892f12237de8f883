//! What Prometheus reads.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::predict::Predictor;

/// From the time of a tiny model to the limit of a patient client, in seconds.
const BUCKETS: [f64; 13] = [
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// The server's own series.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    predictions: IntCounter,
    waiting: IntGauge,
    model: IntGaugeVec,
}

impl Metrics {
    /// Registers the series, each with the constant `labels`.
    ///
    /// # Errors
    ///
    /// When a label's name is not one that Prometheus allows.
    pub(crate) fn new(labels: &[(&str, &str)]) -> prometheus::Result<Self> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let labels = labels.iter().map(own).collect();
        let registry = Registry::new_custom(None, Some(labels))?;
        let requests = IntCounterVec::new(
            Opts::new("serve_requests_total", "HTTP requests by their answer"),
            &["protocol", "method", "code"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "serve_request_seconds",
                "Seconds from the head of a request to the head of its answer",
            )
            .buckets(BUCKETS.to_vec()),
            &["protocol", "method"],
        )?;
        let predictions = IntCounter::new("serve_predictions_total", "Rows predicted")?;
        let waiting = IntGauge::new(
            "serve_queue_depth",
            "Predictions that wait for a compute thread",
        )?;
        let model = IntGaugeVec::new(
            Opts::new("serve_model_info", "1 for the model package that is served"),
            &["package", "package_version", "package_digest"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(predictions.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        registry.register(Box::new(model.clone()))?;
        Ok(Self {
            registry,
            requests,
            seconds,
            predictions,
            waiting,
            model,
        })
    }

    /// Counts one answered request.
    pub(crate) fn answered(&self, protocol: &str, method: &str, code: StatusCode, time: Duration) {
        let labels = [protocol, method, code.as_str()];
        self.requests.with_label_values(&labels).inc();
        let seconds = self.seconds.with_label_values(&[protocol, method]);
        seconds.observe(time.as_secs_f64());
    }

    /// Counts predicted rows.
    pub(crate) fn predicted(&self, rows: usize) {
        self.predictions.inc_by(rows as u64);
    }

    /// Shows which model is served.
    pub(crate) fn loaded(&self, predictor: &Predictor) {
        let digest = predictor.digest.to_string();
        let labels = [&predictor.name, &predictor.version, &digest];
        self.model
            .with_label_values(&labels.map(String::as_str))
            .set(1);
    }

    /// All series in the text format, with `waiting` predictions in the queue.
    ///
    /// # Errors
    ///
    /// When a series has no value.
    pub(crate) fn text(&self, waiting: usize) -> prometheus::Result<String> {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
