//! The Kubernetes API, as far as deploy uses it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::apply::apply;
use super::workloads::{deployments, events, pods};
use super::{Call, World, bare, json as reply, rights};

/// A Status, as every failure is answered.
pub(crate) fn status(code: u16, message: &str) -> Value {
    let reason = match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        415 => "UnsupportedMediaType",
        422 => "Invalid",
        _ => "InternalError",
    };
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "message": message, "reason": reason, "code": code,
    })
}

pub(crate) fn failure(code: u16, message: &str) -> Response<Body> {
    reply(code, &status(code, message))
}

/// The refusal of a request whose sender is not known, or has not the right.
fn refused(world: &mut World, call: &Call) -> Option<Response<Body>> {
    let token = call.header("authorization").strip_prefix("Bearer ");
    let token = token.unwrap_or_default();
    if token == super::ADMIN_TOKEN {
        return None;
    }
    if !world.kubernetes_tokens.iter().any(|known| known == token) {
        return Some(failure(401, "Unauthorized"));
    }
    let right = rights::needed(call)?;
    let mut needed = vec![right.clone()];
    // An apply of what is not there is a create, and needs the right to it too.
    if right.2 == "patch" && !world.objects.contains_key(&key(call)) {
        needed.push((right.0, right.1, "create".to_owned()));
    }
    let granted = |right: &&rights::Right| world.role_bound && rights::granted().contains(*right);
    let missing = needed.iter().find(|right| !granted(right));
    let refusal = missing.map(|right| failure(403, &rights::refusal(right, call)));
    world.rights.extend(needed);
    refusal
}

/// The key of the object in the path.
fn key(call: &Call) -> String {
    let parts: Vec<&str> = call.path.split('/').collect();
    let kind = match parts.get(6) {
        Some(&"inferenceservices") => "InferenceService",
        _ => "SeldonDeployment",
    };
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    format!("{kind}/{}/{}", part(5), part(7))
}

pub(crate) fn answer(world: &mut World, call: &Call) -> Response<Body> {
    if let Some(refusal) = refused(world, call) {
        return refusal;
    }
    let parts: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    if let Some(answer) = bare::answer(world, call, &parts) {
        return answer;
    }
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["apis", "apps", "v1", "namespaces", _, "deployments"]) => {
            list(world, call, deployments)
        }
        ("GET", ["api", "v1", "namespaces", _, "pods"]) => list(world, call, pods),
        (
            "GET",
            [
                "api",
                "v1",
                "namespaces",
                _,
                "pods",
                pod,
                "proxy",
                "metrics",
            ],
        ) => {
            let known = pod
                .strip_suffix(":6000")
                .and_then(|pod| super::metrics::of_pod(world, pod));
            match known {
                Some(metrics) => Response::new(Body::from(metrics)),
                None => failure(404, "pods not found"),
            }
        }
        ("GET", ["api", "v1", "namespaces", _, "events"]) => reply(200, &events(world)),
        (
            method,
            [
                "apis",
                group,
                version,
                "namespaces",
                _,
                plural @ ("seldondeployments" | "inferenceservices"),
                name,
            ],
        ) => {
            let key = key(call);
            let kind = key.split('/').next().unwrap_or_default();
            match method {
                "GET" => match world.shown(&key) {
                    Some(object) => reply(200, &object),
                    None => failure(404, &format!("{plural}.{group} \"{name}\" not found")),
                },
                "PATCH" => apply(world, call, &key, &format!("{group}/{version}"), kind),
                _ => failure(
                    405,
                    "the server does not allow this method on the requested resource",
                ),
            }
        }
        _ => failure(404, "the server could not find the requested resource"),
    }
}

fn list(world: &World, call: &Call, items: fn(&World, &str) -> Vec<Value>) -> Response<Body> {
    if !world.evidence_allowed {
        return failure(
            403,
            "deployments is forbidden: User \"deploy\" cannot list resource",
        );
    }
    let selector = call
        .query("labelSelector")
        .replace("%3D", "=")
        .replace("%2F", "/");
    let Some((_, name)) = selector.split_once('=') else {
        return failure(400, "the stub wants a labelSelector");
    };
    let found = world
        .objects
        .keys()
        .filter(|key| key.ends_with(&format!("/{name}")));
    let items: Vec<Value> = found.flat_map(|key| items(world, key)).collect();
    reply(
        200,
        &json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}),
    )
}

/// Holds the connection until the object changes, then sends one event a line.
pub(crate) async fn watch(world: &Arc<Mutex<World>>, call: &Call) -> Response<Body> {
    let name = call
        .query("fieldSelector")
        .replace("%3D", "=")
        .replace("metadata.name=", "");
    let from = call.query("resourceVersion").to_owned();
    let key = format!("{}{name}", key(call));
    if let Some(refusal) = refused(&mut super::lock(world), call) {
        return refusal;
    }
    let world = Arc::clone(world);
    let changed = async move {
        for _ in 0..500 {
            let shown = super::lock(&world).shown(&key);
            if let Some(object) = shown.filter(|o| o["metadata"]["resourceVersion"] != from) {
                let event = json!({"type": "MODIFIED", "object": object});
                return Ok::<_, std::io::Error>(format!("{event}\n"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(String::new())
    };
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from_stream(futures::stream::once(changed)))
        .unwrap()
}
