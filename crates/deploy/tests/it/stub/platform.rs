//! Seldon Deploy: its OpenID Connect provider and its REST API.

use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::{Call, World, apply, json as reply};

const REALM: &str = "/auth/realms/deploy-realm";
const API: &str = "/seldon-deploy/api/v1alpha1";

fn failure(code: u16, message: &str) -> Response<Body> {
    reply(
        code,
        &json!({"code": code, "message": message, "requestId": "stub-request-1"}),
    )
}

pub(crate) fn answer(world: &mut World, call: &Call) -> Response<Body> {
    let path = call.path.clone();
    if let Some(below) = path.strip_prefix(REALM) {
        return provider(world, call, below);
    }
    let Some(below) = path.strip_prefix(API) else {
        return failure(404, "not found");
    };
    let token = call
        .header("authorization")
        .strip_prefix("Bearer ")
        .unwrap_or_default();
    let good = |(known, until): &(String, Instant)| known == token && Instant::now() < *until;
    if !world.platform_tokens.iter().any(good) {
        return failure(401, "token is expired or unknown");
    }
    let parts: Vec<&str> = below.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["namespaces", namespace, "seldondeployments"] => all(world, call, namespace),
        ["namespaces", namespace, "seldondeployments", name] => one(world, call, namespace, name),
        ["namespaces", _, "seldondeployments", name, "monitor", kind] => {
            detectors(world, call, &format!("{name}/{kind}"))
        }
        [
            "namespaces",
            _,
            "seldondeployments",
            name,
            "monitor",
            kind,
            detector,
        ] => detector_of(world, call, &format!("{name}/{kind}/{detector}")),
        _ => failure(404, "not found"),
    }
}

fn provider(world: &mut World, call: &Call, below: &str) -> Response<Body> {
    let issuer = format!("{}{REALM}", world.public_url);
    let endpoint = "/protocol/openid-connect/token";
    if below == "/.well-known/openid-configuration" {
        let document = json!({"issuer": issuer, "token_endpoint": format!("{issuer}{endpoint}")});
        return reply(200, &document);
    }
    if below != endpoint || call.method != "POST" {
        return failure(404, "not found");
    }
    let basic = call
        .header("authorization")
        .strip_prefix("Basic ")
        .unwrap_or_default();
    let form = String::from_utf8_lossy(&call.body).into_owned();
    let asked = form == "grant_type=client_credentials&scope=openid+profile+email+groups";
    if basic != base64(&format!("sd-api:{}", world.client_secret)) || !asked {
        let body = json!({"error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials"});
        return reply(401, &body);
    }
    let number = world.platform_tokens.len();
    let token = format!("platform-token-{number}-VERYSECRET");
    world
        .platform_tokens
        .push((token.clone(), Instant::now() + world.token_life));
    let mut body = json!({
        "access_token": "access-token-VERYSECRET", "token_type": "Bearer",
        "expires_in": world.token_life.as_secs(), "scope": "openid profile email groups",
    });
    let key = if world.id_token {
        "id_token"
    } else {
        "access_token"
    };
    body[key] = json!(token);
    reply(200, &body)
}

/// RFC 4648, for the one header that the stub compares.
fn base64(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() {
                letter as char
            } else {
                '='
            });
        }
    }
    out
}

fn all(world: &mut World, call: &Call, namespace: &str) -> Response<Body> {
    if call.method == "GET" {
        let keys: Vec<String> = world.objects.keys().cloned().collect();
        let items: Vec<Value> = keys.iter().filter_map(|key| world.shown(key)).collect();
        let list = json!({"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeploymentList", "metadata": {}, "items": items});
        return reply(200, &list);
    }
    if call.method != "POST" {
        return failure(405, "method not allowed");
    }
    let object = call.json();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if object["metadata"]["namespace"] != namespace || name.is_empty() {
        return failure(400, "namespace in body does not match the path");
    }
    let key = format!("SeldonDeployment/{namespace}/{name}");
    if world.objects.contains_key(&key) {
        return failure(
            400,
            &format!("seldondeployments.machinelearning.seldon.io \"{name}\" already exists"),
        );
    }
    store(world, &key, object)
}

fn store(world: &mut World, key: &str, object: Value) -> Response<Body> {
    match apply::webhook(&object) {
        Some(refusal) => failure(
            400,
            &format!("admission webhook denied the request: {refusal}"),
        ),
        None => reply(200, &world.store(key, object, "seldon-deploy")),
    }
}

fn one(world: &mut World, call: &Call, namespace: &str, name: &str) -> Response<Body> {
    let key = format!("SeldonDeployment/{namespace}/{name}");
    let live = world.shown(&key);
    let Some(live) = live else {
        let message = format!("seldondeployments.machinelearning.seldon.io \"{name}\" not found");
        return failure(world.missing_code, &message);
    };
    match call.method.as_str() {
        "GET" => reply(200, &live),
        "PUT" => {
            let object = call.json();
            let version = &object["metadata"]["resourceVersion"];
            if *version != Value::Null && *version != live["metadata"]["resourceVersion"] {
                let message = format!(
                    "Operation cannot be fulfilled on seldondeployments.machinelearning.seldon.io \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
                );
                return failure(409, &message);
            }
            store(world, &key, object)
        }
        "DELETE" => {
            world.objects.remove(&key);
            reply(200, &json!({}))
        }
        _ => failure(405, "method not allowed"),
    }
}

fn detectors(world: &mut World, call: &Call, collection: &str) -> Response<Body> {
    match call.method.as_str() {
        "GET" => {
            let prefix = format!("{collection}/");
            let found = world
                .detectors
                .iter()
                .filter(|(key, _)| key.starts_with(&prefix));
            reply(
                200,
                &Value::from(found.map(|(_, body)| body.clone()).collect::<Vec<_>>()),
            )
        }
        "POST" => {
            let body = call.json();
            let name = body["name"].as_str().unwrap_or_default();
            let key = format!("{collection}/{name}");
            if world.detectors.contains_key(&key) {
                return failure(500, "detector already exists");
            }
            world.detectors.insert(key, body.clone());
            reply(200, &body)
        }
        // There is no update.
        _ => failure(405, "method not allowed"),
    }
}

fn detector_of(world: &mut World, call: &Call, key: &str) -> Response<Body> {
    let found = world.detectors.get(key).cloned();
    match (call.method.as_str(), found) {
        (_, None) => failure(500, "detector not found"),
        ("GET", Some(body)) => reply(200, &body),
        ("DELETE", Some(_)) => {
            world.detectors.remove(key);
            reply(200, &json!({}))
        }
        _ => failure(405, "method not allowed"),
    }
}
