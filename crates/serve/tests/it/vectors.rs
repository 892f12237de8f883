//! Exchanges recorded from the Python wrapper, replayed against `serve --echo`.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::client::Client;
use crate::support::server::{Server, command};

/// Where the answer is a better one than the wrapper's: the status, and the
/// reason in the body.
const BETTER: [(&str, u16); 10] = [
    ("nd-ragged", 400),
    ("tensor-bad-shape", 400),
    ("tensor-no-shape", 400),
    ("bin-bad", 400),
    ("text-type", 415),
    ("form-bad-json", 400),
    ("mp-bad", 400),
    ("aggregate-empty", 400),
    ("not-found", 404),
    ("bad-method", 405),
];

#[test]
#[ignore = "needs SHARED_DIR, the folder of the specification"]
fn recorded_exchanges() {
    let folder: PathBuf = std::env::var_os("SHARED_DIR").unwrap().into();
    let text = std::fs::read(folder.join("spec/seldon-serve-vectors.json")).unwrap();
    let file: Value = serde_json::from_slice(&text).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 73);
    let server = Server::ready(
        command("unused")
            .arg("--echo")
            .env("PREDICTIVE_UNIT_ID", "echo-container")
            .env("PREDICTIVE_UNIT_IMAGE", "registry.example/serve:1.2.3"),
    );
    let client = Client::new();
    let wrong: Vec<String> = vectors
        .iter()
        .filter_map(|vector| replay(&server, &client, vector).err())
        .collect();
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn replay(server: &Server, client: &Client, vector: &Value) -> Result<(), String> {
    let (id, request, expected) = (&vector["id"], &vector["request"], &vector["response"]);
    let body = match (request.get("json"), request.get("body_base64")) {
        (Some(json), _) => json.to_string().into_bytes(),
        (_, Some(text)) => STANDARD.decode(text.as_str().unwrap()).unwrap(),
        _ => request["body_text"].as_str().unwrap_or_default().into(),
    };
    let headers: Vec<(&str, &str)> = request["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let url = server.url(request["path"].as_str().unwrap());
    let method = request["method"].as_str().unwrap();
    let answer = client.send_bytes(method, &url, &headers, &body);
    let better = BETTER.iter().find(|(name, _)| id == name);
    let status = better.map_or_else(|| expected["status"].as_u64().unwrap(), |b| b.1.into());
    let json: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    let fits = u64::from(answer.status) == status
        && answer.header("content-type") == expected["content_type"]
        && match (expected.get("json"), better) {
            (None, _) => expected["text"] == answer.body,
            (Some(_), Some(_)) => is_error(&json, "MICROSERVICE_BAD_DATA"),
            (Some(body), None) if status == 200 => same(body, &json),
            (Some(body), None) => is_error(&json, body["status"]["reason"].as_str().unwrap()),
        };
    match fits {
        true => Ok(()),
        false => Err(format!(
            "{id}: {} {}\n  not {status} {expected}",
            answer.status, answer.body
        )),
    }
}

/// The same JSON, where the order of keys does not count.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let has = |(key, value): (&String, &Value)| b.get(key).is_some_and(|o| same(value, o));
            a.len() == b.len() && a.iter().all(has)
        }
        _ => a == b,
    }
}

fn is_error(body: &Value, reason: &str) -> bool {
    let status = &body["status"];
    status["code"] == -1
        && status["status"] == 1
        && status["reason"] == reason
        && status["info"].as_str().is_some_and(|info| !info.is_empty())
}
