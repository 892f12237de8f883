//! Metrics that a model returns with its answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts};
use serde_json::{Value, json};

/// One value, in the words of Seldon's `meta.metrics`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelMetric {
    /// What `value` means.
    pub(crate) kind: MetricKind,
    /// The name of its series, without `_total`.
    pub(crate) key: String,
    /// A number.
    pub(crate) value: Value,
    /// More labels.
    pub(crate) tags: BTreeMap<String, String>,
}

/// What a value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MetricKind {
    /// It is added.
    Counter,
    /// It is set.
    Gauge,
    /// It is one of many durations, in milliseconds.
    Timer,
}

impl ModelMetric {
    /// Its JSON in a reply. As in the Python wrapper, only a metric that has tags
    /// shows the `method` among them.
    pub(crate) fn json(&self, method: &str) -> Value {
        let kind = match self.kind {
            MetricKind::Counter => "COUNTER",
            MetricKind::Gauge => "GAUGE",
            MetricKind::Timer => "TIMER",
        };
        let mut metric = json!({"key": self.key, "type": kind, "value": self.value});
        if !self.tags.is_empty() {
            let mut tags = self.tags.clone();
            tags.insert("method".to_owned(), method.to_owned());
            if let Value::Object(fields) = &mut metric {
                fields.insert("tags".to_owned(), json!(tags));
            }
        }
        metric
    }
}

/// The series of a model. Their labels differ from value to value, which one
/// registry does not allow, so each set of labels is collected by itself.
#[derive(Debug)]
pub(super) struct ModelMetrics {
    constant: HashMap<String, String>,
    series: Mutex<BTreeMap<Key, Series>>,
}

/// What a value means, the name of its series, and those of its labels.
type Key = (MetricKind, String, Vec<String>);

#[derive(Debug)]
enum Series {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Timer(HistogramVec),
}

impl ModelMetrics {
    /// No series yet; each will have the labels `constant`.
    pub(super) fn new(constant: HashMap<String, String>) -> Self {
        Self {
            constant,
            series: Mutex::default(),
        }
    }

    /// Counts `metric` of a call of `method`.
    ///
    /// # Errors
    ///
    /// When its name or a label's is not one that Prometheus allows.
    pub(super) fn count(&self, method: &str, metric: &ModelMetric) -> prometheus::Result<()> {
        let mut labels = metric.tags.clone();
        labels.insert("method".to_owned(), method.to_owned());
        let names: Vec<String> = labels.keys().cloned().collect();
        let values: Vec<&str> = labels.values().map(String::as_str).collect();
        let value = metric.value.as_f64().unwrap_or_default();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (metric.kind, metric.key.clone(), names);
        let found = match series.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let (kind, name, names) = entry.key();
                let new = self.series(*kind, name, names)?;
                entry.insert(new)
            }
        };
        match found {
            Series::Counter(family) => family
                .get_metric_with_label_values(&values)?
                .inc_by(value.max(0.0)),
            Series::Gauge(family) => family.get_metric_with_label_values(&values)?.set(value),
            Series::Timer(family) => family
                .get_metric_with_label_values(&values)?
                .observe(value / 1000.0),
        }
        Ok(())
    }

    fn series(&self, kind: MetricKind, key: &str, names: &[String]) -> prometheus::Result<Series> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let options = |name: String| {
            Opts::new(name, "A metric of the model").const_labels(self.constant.clone())
        };
        Ok(match kind {
            MetricKind::Counter => {
                Series::Counter(CounterVec::new(options(format!("{key}_total")), &names)?)
            }
            MetricKind::Gauge => Series::Gauge(GaugeVec::new(options(key.to_owned()), &names)?),
            MetricKind::Timer => {
                let options = HistogramOpts {
                    common_opts: options(key.to_owned()),
                    buckets: timer_buckets(),
                };
                Series::Timer(HistogramVec::new(options, &names)?)
            }
        })
    }

    /// All series, those of one name together.
    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
        let collected = series.values().flat_map(|series| match series {
            Series::Counter(family) => family.collect(),
            Series::Gauge(family) => family.collect(),
            Series::Timer(family) => family.collect(),
        });
        for mut family in collected {
            match families.get_mut(family.name()) {
                Some(known) if known.get_field_type() == family.get_field_type() => {
                    known.mut_metric().append(family.mut_metric());
                }
                Some(_) => {}
                None => {
                    families.insert(family.name().to_owned(), family);
                }
            }
        }
        families.into_values().collect()
    }
}

/// 50 values from 0.001 to 30 seconds, evenly spaced on a logarithmic scale: the
/// Python wrapper's.
fn timer_buckets() -> Vec<f64> {
    const COUNT: u32 = 50;
    let (first, last) = (0.001_f64, 30.0_f64);
    let step = (last / first).ln() / f64::from(COUNT - 1);
    (0..COUNT)
        .map(|index| first * (step * f64::from(index)).exp())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_reach_from_a_millisecond_to_half_a_minute() {
        let buckets = timer_buckets();
        assert_eq!((buckets.len(), buckets[0]), (50, 0.001));
        assert!((buckets[49] - 30.0).abs() < 1e-9, "{}", buckets[49]);
    }

    #[test]
    fn series_of_one_name_and_several_labels() {
        let metrics = ModelMetrics::new(HashMap::new());
        let metric = |tags: &[(&str, &str)]| ModelMetric {
            kind: MetricKind::Counter,
            key: "seen".to_owned(),
            value: json!(2),
            tags: tags.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
        };
        metrics.count("predict", &metric(&[])).unwrap();
        metrics.count("predict", &metric(&[("a", "b")])).unwrap();
        metrics.count("predict", &metric(&[])).unwrap();
        let families = metrics.collect();
        assert_eq!(families.len(), 1);
        let text = prometheus::TextEncoder::new();
        let text = text.encode_to_string(&families).unwrap();
        assert!(
            text.contains("seen_total{method=\"predict\"} 4\n"),
            "{text}"
        );
        let other = "seen_total{a=\"b\",method=\"predict\"} 2\n";
        assert!(text.contains(other), "{text}");
        assert!(
            metrics
                .count("predict", &metric(&[("no label", "")]))
                .is_err()
        );
    }
}
