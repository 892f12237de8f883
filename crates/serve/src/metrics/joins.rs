//! The series of runs that answer several requests.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Requests that one run answers.
const REQUESTS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// The model that runs, as in `serve_model_info`.
const MODEL: [&str; 2] = ["package", "package_version"];

/// The series of all models.
#[derive(Debug, Clone)]
pub(crate) struct JoinSeries {
    requests: HistogramVec,
    pays: IntGaugeVec,
}

/// The series of one model.
#[derive(Debug)]
pub(crate) struct Joins {
    /// Requests that each run has answered.
    pub(crate) requests: Histogram,
    /// 1 while requests that wait are joined.
    pub(crate) pays: IntGauge,
}

impl JoinSeries {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let requests = HistogramOpts::new(
            "serve_batch_requests",
            "Requests that were answered by one run of the model",
        );
        let pays = Opts::new(
            "serve_batching",
            "1 while requests that wait for the same model are answered by one run, because that is faster",
        );
        let series = Self {
            requests: HistogramVec::new(requests.buckets(REQUESTS.to_vec()), &MODEL)?,
            pays: IntGaugeVec::new(pays, &MODEL)?,
        };
        registry.register(Box::new(series.requests.clone()))?;
        registry.register(Box::new(series.pays.clone()))?;
        Ok(series)
    }

    /// The series of one model.
    pub(crate) fn of(&self, name: &str, version: &str) -> Joins {
        let model = [name, version];
        Joins {
            requests: self.requests.with_label_values(&model),
            pays: self.pays.with_label_values(&model),
        }
    }
}
