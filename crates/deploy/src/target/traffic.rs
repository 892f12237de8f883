//! How predictors answer: from Prometheus, or from serve's own metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::core::request::Request;
use reqwest::Client;
use serde_json::Value;

use super::{Kubernetes, TargetError};
use crate::json::{items, text};
use crate::rollout::{Figures, Traffic, UNLIMITED};

/// Prometheus, which scrapes Seldon's sidecars, or serve in their place.
#[derive(Debug)]
pub struct Prometheus {
    http: Client,
    url: String,
    deployment: String,
}

impl Prometheus {
    /// The Prometheus at `url`, asked about one deployment.
    pub fn new(http: Client, url: &str, deployment: &str) -> Self {
        Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            deployment: deployment.to_owned(),
        }
    }

    /// The increase of a series in the last `time`, summed up by one label.
    async fn increase(
        &self,
        series: &str,
        by: &str,
        predictor: &str,
        time: Duration,
    ) -> Result<Vec<(String, f64)>, TargetError> {
        let query = format!(
            "sum by ({by}) (increase(seldon_api_executor_server_requests_seconds_{series}\
             {{deployment_name=\"{}\",predictor_name=\"{predictor}\",service=\"predictions\"}}[{}s]))",
            self.deployment,
            time.as_secs().max(1)
        );
        let url = format!("{}/api/v1/query", self.url);
        let url = reqwest::Url::parse_with_params(&url, [("query", &query)]);
        let url = url.map_err(|error| failed(&error.to_string()))?;
        let reply = self.http.get(url).send().await;
        let reply = reply.map_err(|error| failed(&error.without_url().to_string()))?;
        let status = reply.status();
        let document: Value = reply.json().await.unwrap_or_default();
        if text(&document, "/status") != "success" {
            let error = text(&document, "/error");
            return Err(failed(format!("{status} {error}").trim_end()));
        }
        let read = |series: &Value| {
            let value = series.pointer("/value/1")?.as_str()?.parse().ok()?;
            Some((text(series, &format!("/metric/{by}")).to_owned(), value))
        };
        let result = items(&document, "/data/result");
        Ok(result.iter().filter_map(read).collect())
    }
}

fn failed(reason: &str) -> TargetError {
    TargetError::Transient {
        action: "ask Prometheus".to_owned(),
        reason: reason.to_owned(),
    }
}

impl Traffic for Prometheus {
    async fn figures(&mut self, predictor: &str, time: Duration) -> Result<Figures, TargetError> {
        let mut figures = Figures::default();
        for (code, count) in self.increase("count", "code", predictor, time).await? {
            figures.requests += count;
            if code.starts_with('5') {
                figures.errors += count;
            }
        }
        let buckets = self.increase("bucket", "le", predictor, time).await?;
        let buckets = buckets
            .into_iter()
            .filter_map(|(le, count)| Some((bound(&le)?, count)));
        figures.buckets = buckets.collect();
        Ok(figures)
    }
}

/// Serve's own metrics, read from each pod through the Kubernetes API.
#[derive(Debug)]
pub struct PodMetrics<'a> {
    cluster: &'a Kubernetes,
    /// What each predictor had answered when it was first asked.
    start: BTreeMap<String, Figures>,
}

impl<'a> PodMetrics<'a> {
    /// The pods of the object of this cluster.
    pub fn new(cluster: &'a Kubernetes) -> Self {
        Self {
            cluster,
            start: BTreeMap::new(),
        }
    }
}

impl Traffic for PodMetrics<'_> {
    async fn figures(&mut self, predictor: &str, _time: Duration) -> Result<Figures, TargetError> {
        let mut now = Figures::default();
        for pod in self.cluster.pods().await {
            if pod.predictor().as_deref() == Some(predictor) {
                let metrics = self.cluster.metrics(pod.name()).await?;
                add(&mut now, &metrics);
            }
        }
        let start = self
            .start
            .entry(predictor.to_owned())
            .or_insert_with(|| now.clone());
        // A pod that is replaced begins anew, and takes its counts with it.
        if now.requests < start.requests {
            *start = Figures::default();
        }
        Ok(since(&now, start))
    }
}

fn since(now: &Figures, start: &Figures) -> Figures {
    let buckets = now.buckets.iter().map(|(bound, count)| {
        let before = start.buckets.get(bound).copied().unwrap_or_default();
        (*bound, (count - before).max(0.0))
    });
    Figures {
        requests: now.requests - start.requests,
        errors: (now.errors - start.errors).max(0.0),
        buckets: buckets.collect(),
    }
}

impl Kubernetes {
    /// The metrics of a pod, in Prometheus' text format.
    async fn metrics(&self, pod: &str) -> Result<String, TargetError> {
        let url = format!(
            "/api/v1/namespaces/{}/pods/{pod}:6000/proxy",
            self.namespace()
        );
        let request = Request::new(url).get("metrics", &kube::api::GetParams::default());
        let action = format!("read the metrics of pod {pod}");
        self.text(&action, request).await
    }
}

/// Adds the predictions of one server to the figures.
fn add(figures: &mut Figures, metrics: &str) {
    for line in metrics.lines() {
        let Some(Sample {
            name,
            labels,
            value,
        }) = sample(line)
        else {
            continue;
        };
        let label = |wanted: &str| {
            let found = labels.iter().find(|(key, _)| *key == wanted);
            found.map_or("", |(_, value)| *value)
        };
        if label("method") != "predict" {
            continue;
        }
        match name {
            "serve_requests_total" => {
                figures.requests += value;
                if label("code").starts_with('5') {
                    figures.errors += value;
                }
            }
            "serve_request_seconds_bucket" => {
                if let Some(bound) = bound(label("le")) {
                    *figures.buckets.entry(bound).or_default() += value;
                }
            }
            _ => {}
        }
    }
}

/// A line of the metrics.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

/// The parts of `NAME{LABEL="VALUE",…} NUMBER`. The values that are looked at
/// hold no quote and no comma.
fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once('}')?;
    let value = value.split_whitespace().next()?.parse().ok()?;
    let labels = labels.split(',').filter_map(|label| {
        let (key, value) = label.split_once('=')?;
        Some((key.trim(), value.trim().trim_matches('"')))
    });
    Some(Sample {
        name,
        labels: labels.collect(),
        value,
    })
}

/// The bound of a bucket, in microseconds.
fn bound(le: &str) -> Option<u64> {
    let seconds: f64 = le.parse().ok()?;
    if seconds.is_infinite() {
        return Some(UNLIMITED);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounds are between a microsecond and some minutes"
    )]
    Some((seconds * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_counted_and_nothing_else() {
        let mut figures = Figures::default();
        let metrics = "\
# HELP serve_requests_total HTTP requests by their answer
serve_requests_total{code=\"200\",method=\"predict\",protocol=\"seldon\"} 90
serve_requests_total{code=\"500\",method=\"predict\",protocol=\"v2\"} 10
serve_requests_total{code=\"400\",method=\"predict\",protocol=\"v2\"} 5
serve_requests_total{code=\"200\",method=\"health\",protocol=\"seldon\"} 1000
serve_request_seconds_bucket{method=\"predict\",protocol=\"seldon\",le=\"0.005\"} 80
serve_request_seconds_bucket{method=\"predict\",protocol=\"seldon\",le=\"+Inf\"} 105
serve_queue_depth 0
";
        add(&mut figures, metrics);
        assert!((figures.requests - 105.0).abs() < 1e-9);
        assert!((figures.errors - 10.0).abs() < 1e-9);
        let buckets = BTreeMap::from([(5000, 80.0), (UNLIMITED, 105.0)]);
        assert_eq!(figures.buckets, buckets);
    }
}
