//! A cluster without an operator and without controllers: what is written is
//! stored, and nothing follows unless somebody writes that too.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::{Call, World, json as reply};

/// Answers what only the part of the operator asks for; none: it is for others.
pub(crate) fn answer(world: &mut World, call: &Call, parts: &[&str]) -> Option<Response<Body>> {
    if world.operator {
        return None;
    }
    match (call.method.as_str(), parts) {
        ("GET", ["apis", "apps", "v1", "namespaces", _, "deployments"]) => {
            let selector = call.query("labelSelector").replace("%3D", "=");
            let items = world.deployments.values();
            let items: Vec<&Value> = items.filter(|d| selects(&selector, d)).collect();
            Some(reply(
                200,
                &json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": items}),
            ))
        }
        ("GET", ["api", "v1", "namespaces", _, "pods" | "events"]) => Some(reply(
            200,
            &json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}),
        )),
        ("PATCH", ["apis", "apps", "v1", "namespaces", _, "deployments", name]) => {
            Some(reply(200, &apply(world, name, call.json())))
        }
        (
            "PATCH",
            [
                "apis",
                "apps",
                "v1",
                "namespaces",
                _,
                "deployments",
                name,
                "status",
            ],
        ) => {
            let deployment = world.deployments.get_mut(*name)?;
            deployment["status"] = call.json()["status"].clone();
            Some(reply(200, deployment))
        }
        (
            "PATCH",
            [
                "apis",
                _,
                _,
                "namespaces",
                namespace,
                "seldondeployments",
                name,
                "status",
            ],
        ) => {
            let key = format!("SeldonDeployment/{namespace}/{name}");
            world.set_status(&key, call.json()["status"].clone());
            Some(reply(200, &world.shown(&key)?))
        }
        _ => None,
    }
}

fn selects(selector: &str, deployment: &Value) -> bool {
    let (key, value) = selector.split_once('=').unwrap_or_default();
    deployment["metadata"]["labels"][key] == value
}

/// As server-side apply by the only manager: a changed spec is a new generation.
fn apply(world: &mut World, name: &str, mut deployment: Value) -> Value {
    let live = world.deployments.get(name);
    let generation = live.map_or(0, |live| live["metadata"]["generation"].as_u64().unwrap());
    let changed = live.is_none_or(|live| live["spec"] != deployment["spec"]);
    deployment["metadata"]["generation"] = json!(generation + u64::from(changed));
    deployment["status"] = live.map_or(json!({}), |live| live["status"].clone());
    world
        .deployments
        .insert(name.to_owned(), deployment.clone());
    deployment
}
