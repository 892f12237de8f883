//! What Prometheus reads.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::{
    CounterVec, GaugeVec, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

mod joins;
mod model;
mod monitor;
mod requests;

use crate::models::Entry;
pub(crate) use joins::{JoinSeries, Joins};
use model::ModelMetrics;
pub(crate) use model::{MetricKind, ModelMetric};
pub(crate) use monitor::{MonitorSeries, Watched};
pub(crate) use requests::Labels;
use requests::Requests;

/// The server's own series.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Requests,
    waiting: IntGauge,
    model: IntGaugeVec,
    feedback: CounterVec,
    reward: GaugeVec,
    of_model: ModelMetrics,
    monitor: MonitorSeries,
    joins: JoinSeries,
    lost: IntCounter,
    lost_spans: IntCounter,
}

impl Metrics {
    /// Registers the series, each with the constant `labels`.
    ///
    /// # Errors
    ///
    /// When a label's name is not one that Prometheus allows.
    pub(crate) fn new(labels: &[(&str, &str)]) -> prometheus::Result<Self> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let labels: HashMap<String, String> = labels.iter().map(own).collect();
        let registry = Registry::new_custom(None, Some(labels.clone()))?;
        let waiting = IntGauge::new(
            "serve_queue_depth",
            "Predictions that wait for a compute thread",
        )?;
        let model = IntGaugeVec::new(
            Opts::new("serve_model_info", "1 for the model package that is served"),
            &["package", "package_version", "package_digest"],
        )?;
        let (feedback, reward) = seldon_series()?;
        registry.register(Box::new(feedback.clone()))?;
        registry.register(Box::new(reward.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        registry.register(Box::new(model.clone()))?;
        let lost = IntCounter::new("serve_events_lost_total", "Events that could not be told")?;
        registry.register(Box::new(lost.clone()))?;
        let lost_spans = IntCounter::new(
            "serve_spans_lost_total",
            "Spans that the collector did not take",
        )?;
        registry.register(Box::new(lost_spans.clone()))?;
        Ok(Self {
            lost,
            lost_spans,
            monitor: MonitorSeries::register(&registry)?,
            joins: JoinSeries::register(&registry)?,
            requests: Requests::register(&registry)?,
            registry,
            waiting,
            model,
            feedback,
            reward,
            of_model: ModelMetrics::new(labels),
        })
    }

    /// Where lost events are counted.
    pub(crate) fn lost(&self) -> IntCounter {
        self.lost.clone()
    }

    /// Where lost spans are counted.
    pub(crate) fn lost_spans(&self) -> IntCounter {
        self.lost_spans.clone()
    }

    /// Where monitors count.
    pub(crate) fn monitor(&self) -> MonitorSeries {
        self.monitor.clone()
    }

    /// Where runs are counted.
    pub(crate) fn joins(&self) -> JoinSeries {
        self.joins.clone()
    }

    /// Counts one answered request with its labels `protocol` and `method`.
    pub(crate) fn answered(&self, labels: Labels, code: &str, time: Duration) {
        self.requests.answered(labels, code, time);
    }

    /// Counts one request of a client as Seldon's orchestrator would, if there
    /// were one between, with its labels `service` and `method`.
    pub(crate) fn served(&self, labels: Labels, code: &str, time: Duration) {
        self.requests.served(labels, code, time);
    }

    /// Counts feedback with a `reward` that is not zero.
    pub(crate) fn rewarded(&self, reward: f64) {
        if reward != 0.0 {
            self.feedback.with_label_values(&[FEEDBACK]).inc();
            self.reward.with_label_values(&[FEEDBACK]).add(reward);
        }
    }

    /// Counts what a model returned from a call of `method`.
    pub(crate) fn returned(&self, method: &str, metrics: &[ModelMetric]) {
        for metric in metrics {
            if let Err(error) = self.of_model.count(method, metric) {
                let error = error.to_string();
                tracing::warn!(
                    metric = metric.key,
                    error,
                    "metric of the model not counted"
                );
            }
        }
    }

    /// Counts predicted rows.
    pub(crate) fn predicted(&self, rows: usize) {
        self.requests.predicted(rows);
    }

    /// Shows which models answer.
    pub(crate) fn serves(&self, entries: &[Entry]) {
        self.model.reset();
        for unit in entries.iter().filter_map(Entry::unit) {
            let labels = [unit.name(), unit.version(), &unit.digest()];
            self.model.with_label_values(&labels).set(1);
        }
    }

    /// All series in the text format, with `waiting` predictions in the queue.
    ///
    /// # Errors
    ///
    /// When a series has no value.
    pub(crate) fn text(&self, waiting: usize) -> prometheus::Result<String> {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.requests.settle();
        let mut families = self.registry.gather();
        families.extend(self.of_model.collect());
        TextEncoder::new().encode_to_string(&families)
    }
}

/// The label `method` of feedback.
const FEEDBACK: &str = "feedback";

/// The series that Seldon's dashboards read. A reward may be negative, so that
/// its sum is a gauge for all its name.
fn seldon_series() -> prometheus::Result<(CounterVec, GaugeVec)> {
    let feedback = CounterVec::new(
        Opts::new("seldon_api_model_feedback_total", "Rewards that came"),
        &["method"],
    )?;
    let reward = GaugeVec::new(
        Opts::new("seldon_api_model_feedback_reward_total", "Their sum"),
        &["method"],
    )?;
    Ok((feedback, reward))
}
