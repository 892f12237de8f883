//! What the pods have answered: their own metrics, and what Prometheus makes of
//! those of the sidecars.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::track::deployment_name;
use super::{Call, World, json as reply};

/// Answers of a predictor in a second.
const RATE: u64 = 400;

fn errors(world: &World, version: &str, requests: u64) -> u64 {
    requests
        * world
            .error_percent
            .get(version)
            .copied()
            .unwrap_or_default()
        / 100
}

/// The bound, in seconds, below which all answers of a version are.
fn bound(world: &World, version: &str) -> &'static str {
    match world.slow.contains(version) {
        true => "0.5",
        false => "0.005",
    }
}

/// The text that serve gives at `/metrics`.
pub(crate) fn of_pod(world: &World, pod: &str) -> Option<String> {
    let stored = world
        .objects
        .values()
        .find(|stored| stored.object["kind"] == "SeldonDeployment")?;
    let name = stored.object["metadata"]["name"].as_str()?;
    let track = stored
        .tracks
        .values()
        .find(|track| pod.starts_with(&deployment_name(name, track)))?;
    let version = match (pod.ends_with("old"), &track.old_version) {
        (true, Some(version)) => version,
        _ => &track.version,
    };
    let milliseconds = u64::try_from(world.started.elapsed().as_millis()).ok()?;
    let requests = if world.traffic {
        milliseconds * RATE / 1000
    } else {
        0
    };
    let errors = errors(world, version, requests);
    let good = requests - errors;
    let bound = bound(world, version);
    Some(format!(
        "# TYPE serve_requests_total counter\n\
         serve_requests_total{{code=\"200\",method=\"predict\",protocol=\"seldon\"}} {good}\n\
         serve_requests_total{{code=\"500\",method=\"predict\",protocol=\"seldon\"}} {errors}\n\
         serve_requests_total{{code=\"200\",method=\"health\",protocol=\"seldon\"}} 12345\n\
         serve_request_seconds_bucket{{method=\"predict\",protocol=\"seldon\",le=\"{bound}\"}} {requests}\n\
         serve_request_seconds_bucket{{method=\"predict\",protocol=\"seldon\",le=\"+Inf\"}} {requests}\n"
    ))
}

/// The instant query of Prometheus' HTTP API, as far as deploy asks.
pub(crate) fn prometheus(world: &World, call: &Call) -> Response<Body> {
    let query = call.query("query");
    let decoded = decode(query);
    let part = |from: &str, to: &str| {
        let rest = decoded.split(from).nth(1).unwrap_or_default();
        rest.split(to).next().unwrap_or_default().to_owned()
    };
    let predictor = part("predictor_name=\"", "\"");
    let seconds: u64 = part("}[", "s]").parse().unwrap_or_default();
    let by = part("sum by (", ")");
    let stored = world.objects.values().next();
    let track = stored.and_then(|stored| stored.tracks.get(&predictor));
    let version = track.map(|track| track.version.clone()).unwrap_or_default();
    let requests = if world.traffic { seconds * RATE } else { 0 };
    let errors = errors(world, &version, requests);
    let series = |value: &str, count: u64| json!({"metric": {&by: value}, "value": [0.0, count.to_string()]});
    let result: Vec<Value> = match by.as_str() {
        "code" => vec![series("200", requests - errors), series("500", errors)],
        "le" => vec![
            series(bound(world, &version), requests),
            series("+Inf", requests),
        ],
        _ => return reply(400, &json!({"status": "error", "error": "parse error"})),
    };
    reply(
        200,
        &json!({"status": "success", "data": {"resultType": "vector", "result": result}}),
    )
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                let hex = String::from_utf8(hex).unwrap();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}
