//! The Kubernetes API, as far as deploy uses it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::model::{self, Behaviour};
use super::world::{Track, deployment_name};
use super::{Call, World, json as reply};
use crate::support::crd;

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

fn failure(code: u16, message: &str) -> Response<Body> {
    reply(code, &status(code, message))
}

fn authorised(world: &World, call: &Call) -> bool {
    let token = call.header("authorization").strip_prefix("Bearer ");
    token.is_some_and(|token| world.kubernetes_tokens.iter().any(|known| known == token))
}

pub(crate) fn answer(world: &mut World, call: &Call) -> Response<Body> {
    if !authorised(world, call) {
        return failure(401, "Unauthorized");
    }
    let parts: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
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
                namespace,
                plural,
                name,
            ],
        ) => {
            let kind = match *plural {
                "seldondeployments" => "SeldonDeployment",
                "inferenceservices" => "InferenceService",
                _ => return failure(404, "the server could not find the requested resource"),
            };
            let key = format!("{kind}/{namespace}/{name}");
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

/// Server-side apply.
fn apply(world: &mut World, call: &Call, key: &str, version: &str, kind: &str) -> Response<Body> {
    if call.header("content-type") != "application/apply-patch+yaml" {
        let message = "the body of the request was in an unknown format - accepted media types \
                       include: application/json-patch+json, application/merge-patch+json, \
                       application/apply-patch+yaml";
        return failure(415, message);
    }
    let manager = call.query("fieldManager");
    if manager.is_empty() {
        return failure(422, "fieldManager is required for apply patch");
    }
    let mut object = call.json();
    if object["apiVersion"] != version || object["kind"] != kind {
        return failure(400, "the object does not match the requested resource");
    }
    let [_, namespace, name]: [&str; 3] = key.split('/').collect::<Vec<_>>().try_into().unwrap();
    if object["metadata"]["name"] != name {
        return failure(
            400,
            "the name of the object does not match the name on the URL",
        );
    }
    let metadata = object["metadata"].as_object_mut().unwrap();
    if metadata
        .get("namespace")
        .is_some_and(|given| given != namespace && given != "")
    {
        return failure(
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        );
    }
    metadata.insert("namespace".to_owned(), json!(namespace));
    if let Some(complaint) = invalid(call, &object) {
        return failure(400, &complaint);
    }
    if let Some(refusal) = webhook(&object) {
        let message = format!(
            "admission webhook \"v1.vseldondeployment.kb.io\" denied the request: {refusal}"
        );
        return failure(403, &message);
    }
    let live = world
        .objects
        .get(key)
        .map(|stored| (stored.object.clone(), stored.manager.clone()));
    if let Some((live, other)) = &live {
        let differs = live["spec"]["predictors"] != object["spec"]["predictors"];
        if other != manager && differs && call.query("force") != "true" {
            return conflict(other);
        }
    }
    if call.query("dryRun") == "All" {
        return reply(if live.is_some() { 200 } else { 201 }, &object);
    }
    if let Some((live, _)) = &live {
        // Nothing new: the API server keeps generation and resourceVersion.
        if live["spec"] == object["spec"]
            && live["metadata"]["annotations"] == object["metadata"]["annotations"]
        {
            return reply(200, &world.shown(key).unwrap());
        }
    }
    let stored = world.store(key, object, manager);
    reply(if live.is_some() { 200 } else { 201 }, &stored)
}

fn conflict(manager: &str) -> Response<Body> {
    let message = format!("conflict with \"{manager}\"");
    let mut body = status(
        409,
        &format!("Apply failed with 1 conflict: {message}: .spec.predictors"),
    );
    body["details"] = json!({"causes": [{
        "reason": "FieldManagerConflict", "message": message, "field": ".spec.predictors",
    }]});
    reply(409, &body)
}

/// Strict field validation by the CRD, where the test run has it.
fn invalid(call: &Call, object: &Value) -> Option<String> {
    if call.query("fieldValidation") != "Strict" {
        return Some("the stub wants fieldValidation=Strict".to_owned());
    }
    if object["kind"] != "SeldonDeployment" || std::env::var_os("SELDON_CRD").is_none() {
        return None;
    }
    let complaints = crd::complaints(crd::shared("SELDON_CRD"), object);
    (!complaints.is_empty()).then(|| format!("strict decoding error: {}", complaints.join(", ")))
}

/// The rules of Seldon's validating webhook.
pub(crate) fn webhook(object: &Value) -> Option<String> {
    if object["kind"] != "SeldonDeployment" {
        return None;
    }
    let predictors = object["spec"]["predictors"].as_array()?;
    if predictors.is_empty() {
        return Some("Invalid value: no predictors".to_owned());
    }
    let share = |p: &&Value| p["shadow"] != true;
    let traffic: u64 = predictors
        .iter()
        .filter(share)
        .filter_map(|p| p["traffic"].as_u64())
        .sum();
    if traffic != 100 {
        return Some(format!(
            "Traffic must sum to 100 for multiple predictors, is {traffic}"
        ));
    }
    let shadows = predictors.len() - predictors.iter().filter(share).count();
    if shadows > 1 || shadows == predictors.len() {
        return Some("Shadow can not be used as the only predictor or twice".to_owned());
    }
    for (index, predictor) in predictors.iter().enumerate() {
        if predictors
            .iter()
            .take(index)
            .any(|other| other["name"] == predictor["name"])
        {
            return Some(format!("Duplicate predictor name {}", predictor["name"]));
        }
        let containers = &predictor["componentSpecs"][0]["spec"]["containers"];
        let known = containers
            .as_array()
            .is_some_and(|all| all.iter().any(|c| c["name"] == predictor["graph"]["name"]));
        if !known {
            return Some("Can't find container for predictive unit".to_owned());
        }
    }
    None
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

/// Predictors whose Deployment is still there.
fn tracks<'a>(world: &'a World, key: &str) -> Vec<&'a Track> {
    let gone = Duration::from_millis(model::NEW_POD);
    let there = |track: &&Track| track.removed.is_none_or(|at| at.elapsed() < gone);
    world.objects[key].tracks.values().filter(there).collect()
}

fn deployments(world: &World, key: &str) -> Vec<Value> {
    let now = Instant::now();
    let name = world.objects[key].object["metadata"]["name"]
        .as_str()
        .unwrap();
    let one = |track: &&Track| {
        let moment = world.moment_of(track, now);
        let noticed = track.edited.elapsed() >= Duration::from_millis(model::NOTICED);
        let shown = match &track.before {
            Some(before) if !noticed || !moment.new_template => before,
            None if !noticed => return None,
            _ => &track.new,
        };
        let generation = track.generation - u64::from(!noticed);
        let observed = generation - u64::from(noticed && !moment.observed && generation > 1);
        Some(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": deployment_name(name, track), "generation": generation},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [shown]}}},
            "status": {
                "observedGeneration": observed, "replicas": moment.replicas,
                "updatedReplicas": moment.updated, "availableReplicas": moment.available,
                "conditions": model::deployment_conditions(moment),
            },
        }))
    };
    tracks(world, key).iter().filter_map(one).collect()
}

fn pods(world: &World, key: &str) -> Vec<Value> {
    let now = Instant::now();
    let name = world.objects[key].object["metadata"]["name"]
        .as_str()
        .unwrap();
    let mut pods = Vec::new();
    for track in tracks(world, key) {
        let moment = world.moment_of(track, now);
        let mut pod = |suffix: &str, container: &Value, ready: bool, reason: Option<&str>| {
            let state = match reason {
                Some(reason) => {
                    json!({"waiting": {"reason": reason, "message": "back-off 10s restarting failed container"}})
                }
                None => json!({"running": {}}),
            };
            pods.push(json!({
                "metadata": {"name": format!("{}-{suffix}", deployment_name(name, track))},
                "spec": {"containers": [container]},
                "status": {"containerStatuses": [{"name": container["name"], "ready": ready, "state": state}]},
            }));
        };
        if moment.old_serves
            && let Some(old) = &track.old
        {
            pod("5d9c-old", old, true, None);
        }
        if moment.replicas > u64::from(moment.old_serves) {
            let reason = match world.behaviours.get(&track.version) {
                Some(Behaviour::Stuck(reason)) => Some(*reason),
                _ => None,
            };
            pod("7f6b-new", &track.new, moment.new_serves, reason);
        }
    }
    pods
}

fn events(world: &World) -> Value {
    let warnings = world.objects.iter().filter_map(|(key, stored)| {
        let name = stored.object["metadata"]["name"].as_str()?;
        let track = stored.tracks.values().next()?;
        let behaviour = world.behaviours.get(&track.version);
        let message = match behaviour {
            Some(Behaviour::Stuck(reason)) => format!("{reason}: back-off"),
            Some(Behaviour::NeverReady) => "Readiness probe failed: HTTP probe failed with statuscode: 503".to_owned(),
            _ => return None,
        };
        let _ = key;
        Some(json!({
            "type": "Warning", "reason": "Unhealthy", "message": message,
            "lastTimestamp": "2026-01-01T00:00:09Z",
            "involvedObject": {"kind": "Pod", "name": format!("{}-7f6b-new", deployment_name(name, track))},
        }))
    });
    json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": warnings.collect::<Vec<_>>()})
}

/// Holds the connection until the object changes, then sends one event a line.
pub(crate) async fn watch(world: &Arc<Mutex<World>>, call: &Call) -> Response<Body> {
    let name = call
        .query("fieldSelector")
        .replace("%3D", "=")
        .replace("metadata.name=", "");
    let from = call.query("resourceVersion").to_owned();
    let plural = call.path.rsplit('/').next().unwrap_or_default();
    let kind = if plural == "inferenceservices" {
        "InferenceService"
    } else {
        "SeldonDeployment"
    };
    let namespace = call.path.split('/').nth(5).unwrap_or_default();
    let key = format!("{kind}/{namespace}/{name}");
    if !authorised(&super::lock(world), call) {
        return failure(401, "Unauthorized");
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
