//! The series of what models are asked.

use monitor::Drift;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
};

/// Outlier scores, in standard deviations.
const SCORES: [f64; 12] = [
    0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0,
];

/// The model that is asked, as in `serve_model_info`.
const MODEL: [&str; 2] = ["package", "package_version"];

/// The series of all models.
#[derive(Debug, Clone)]
pub(crate) struct MonitorSeries {
    scores: HistogramVec,
    rows: IntCounterVec,
    outliers: IntCounterVec,
    windows: IntCounterVec,
    p_value: GaugeVec,
    features: GaugeVec,
}

/// The series of one model.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The highest score of the rows of each request.
    pub(crate) scores: Histogram,
    /// Rows whose score was looked at.
    pub(crate) rows: IntCounter,
    /// Those that are outliers.
    pub(crate) outliers: IntCounter,
    /// Windows without drift.
    pub(crate) same: IntCounter,
    /// Windows with drift.
    pub(crate) drifted: IntCounter,
    /// Windows that came faster than they could be tested.
    pub(crate) untested: IntCounter,
    p_value: GaugeVec,
    features: GaugeVec,
    model: [String; 2],
}

impl MonitorSeries {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let scores = HistogramOpts::new(
            "serve_outlier_score",
            "Outlier score of each request, in standard deviations",
        );
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            prometheus::Result::Ok(gauge)
        };
        let [package, version] = MODEL;
        let series = Self {
            scores: HistogramVec::new(scores.buckets(SCORES.to_vec()), &MODEL)?,
            rows: counter("serve_rows_watched_total", "Rows that got a score", &MODEL)?,
            outliers: counter("serve_outliers_total", "Rows that are outliers", &MODEL)?,
            windows: counter(
                "serve_drift_windows_total",
                "Windows of requests by what the test said: same, drifted or untested",
                &[package, version, "result"],
            )?,
            p_value: gauge(
                "serve_drift_p_value",
                "Lowest p-value of the last window; there is drift below the level divided by the number of features",
                &MODEL,
            )?,
            features: gauge(
                "serve_drift_feature_p_value",
                "P-value of each column in the last window",
                &[package, version, "feature"],
            )?,
        };
        registry.register(Box::new(series.scores.clone()))?;
        Ok(series)
    }

    /// The series of one model.
    pub(crate) fn of(&self, name: &str, version: &str) -> Watched {
        let model = [name, version];
        let windows = |result| {
            let labels = [name, version, result];
            self.windows.with_label_values(&labels)
        };
        Watched {
            scores: self.scores.with_label_values(&model),
            rows: self.rows.with_label_values(&model),
            outliers: self.outliers.with_label_values(&model),
            same: windows("same"),
            drifted: windows("drifted"),
            untested: windows("untested"),
            p_value: self.p_value.clone(),
            features: self.features.clone(),
            model: model.map(str::to_owned),
        }
    }
}

impl Watched {
    /// Counts a window; its features one by one where they are `named`.
    pub(crate) fn tested(&self, drift: &Drift, named: bool) {
        match drift.drifted {
            true => self.drifted.inc(),
            false => self.same.inc(),
        }
        let [name, version] = &self.model;
        let p_value = self.p_value.with_label_values(&[name, version]);
        p_value.set(drift.p_value);
        for feature in drift.features.iter().filter(|_| named) {
            let labels = [name, version, &feature.name];
            let p_value = self.features.with_label_values(&labels);
            p_value.set(feature.p_value);
        }
    }
}
