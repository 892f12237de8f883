//! From what there is to tell to events.

use axum::body::Bytes;
use axum::http::HeaderValue;
use monitor::Drift;
use serde_json::{Value, json};

use super::{Exchange, Payload, Payloads};

/// What events say of this server.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The SeldonDeployment.
    pub(crate) deployment: String,
    /// The predictor.
    pub(crate) predictor: String,
    /// The node of the graph.
    pub(crate) node: String,
    /// The Kubernetes namespace, where there is one.
    pub(crate) namespace: String,
    /// The pod's name and the port, as a URL.
    pub(crate) address: String,
}

/// An event, but for its own ID.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) source: String,
    pub(super) request_id: Option<HeaderValue>,
    pub(super) protocol: Option<&'static str>,
    pub(super) payload: Payload,
}

const REQUEST: &str = "io.seldon.serving.inference.request";
const RESPONSE: &str = "io.seldon.serving.inference.response";
const FEEDBACK: &str = "io.seldon.serving.feedback";
const OUTLIER: &str = "io.seldon.serving.inference.outlier";
const DRIFT: &str = "io.seldon.serving.inference.drift";

impl Place {
    /// The events of an exchange.
    pub(super) fn of_exchange(&self, exchange: Exchange, payloads: Payloads) -> Vec<Event> {
        let outlier = exchange.response.as_ref().and_then(outlier);
        let (id, protocol) = (exchange.id, exchange.protocol);
        let event = |kind, source, payload| Event {
            kind,
            source,
            request_id: Some(id.clone()),
            protocol: Some(protocol),
            payload,
        };
        let mut events = Vec::new();
        if matches!(payloads, Payloads::Request | Payloads::All) {
            let kind = match exchange.is_feedback {
                true => FEEDBACK,
                false => REQUEST,
            };
            events.push(event(kind, self.address.clone(), exchange.request));
        }
        let response = exchange.response.filter(|_| !exchange.is_feedback);
        if let (Payloads::Response | Payloads::All, Some(response)) = (payloads, response) {
            events.push(event(RESPONSE, self.address.clone(), response));
        }
        if let Some(outlier) = outlier {
            events.push(event(OUTLIER, self.detector("outlier"), outlier));
        }
        events
    }

    /// The event of a window.
    pub(super) fn of_drift(&self, model: &str, drift: &Drift) -> Event {
        let of = |figure: fn(&monitor::FeatureDrift) -> f64| -> Vec<f64> {
            drift.features.iter().map(figure).collect()
        };
        let body = json!({
            "data": {
                "is_drift": u8::from(drift.drifted),
                "distance": of(|feature| feature.statistic),
                "p_val": of(|feature| feature.p_value),
                "threshold": drift.threshold,
            },
            "meta": {"name": "ChiSquare", "model": model, "batch_size": drift.rows},
        });
        Event {
            kind: DRIFT,
            source: self.detector("drift"),
            request_id: None,
            protocol: None,
            payload: in_json(&body),
        }
    }

    /// The source that Seldon Deploy gives to a detector of a deployment.
    fn detector(&self, what: &str) -> String {
        let deployment = &self.deployment;
        format!("io.seldon.serving.seldon-seldondeployment-{deployment}-{what}")
    }
}

/// What an outlier detector would say of an answer, by what the answer says itself.
fn outlier(answer: &Payload) -> Option<Payload> {
    // Raw tensors may follow the JSON.
    let mut json = serde_json::Deserializer::from_slice(&answer.bytes).into_iter::<Value>();
    let answer = json.next()?.ok()?;
    let tags = answer
        .pointer("/meta/tags")
        .or_else(|| answer.get("parameters"))?;
    let (score, is_outlier) = (tags.get("outlier_score")?, tags.get("is_outlier")?);
    Some(in_json(&json!({
        "data": {
            "is_outlier": [u8::from(is_outlier.as_bool()?)],
            "instance_score": [score],
            "feature_score": null,
        },
        "meta": {"name": "serve", "detector_type": "offline"},
    })))
}

fn in_json(body: &Value) -> Payload {
    Payload {
        content_type: HeaderValue::from_static("application/json"),
        bytes: Bytes::from(body.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_are_told_of_where_raw_tensors_follow() {
        let json = r#"{"parameters": {"outlier_score": 2.5, "is_outlier": true}, "outputs": []}"#;
        let answer = Payload {
            content_type: HeaderValue::from_static("application/octet-stream"),
            bytes: [json.as_bytes(), &[0, 0, 128, 63]].concat().into(),
        };
        let told: Value = serde_json::from_slice(&outlier(&answer).unwrap().bytes).unwrap();
        assert_eq!(told["data"]["instance_score"], json!([2.5]));
        assert_eq!(told["data"]["is_outlier"], json!([1]));
    }
}
