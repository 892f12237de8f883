//! The service: what the ingress leads to, and the metrics of the pods.

use axum::body::Body;
use axum::response::Response;
use serde_json::json;

use super::{Call, World, json as reply};

pub(crate) fn answer(world: &mut World, call: &Call) -> Response<Body> {
    let path = match call.path.strip_prefix("/api/v1.0/metadata") {
        // The address in the status, whose host is the service itself.
        Some("") => "/seldon/seldon/iris/api/v1.0/metadata",
        _ => call.path.as_str(),
    };
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (namespace, name, kind) = match parts.as_slice() {
        ["seldon", namespace, name, "api", "v1.0", "metadata"] => {
            (*namespace, *name, "SeldonDeployment")
        }
        ["v2", "models", name] => ("seldon", *name, "InferenceService"),
        _ => return reply(404, &json!({"error": "not found"})),
    };
    let key = format!("{kind}/{namespace}/{name}");
    let Some(stored) = world.objects.get(&key) else {
        return reply(404, &json!({}));
    };
    let container = stored
        .tracks
        .values()
        .next()
        .map(|track| track.new["name"].clone());
    let container = container
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default();
    // Old and new pods answer in turn while both are up.
    let versions: Vec<String> = world.serving(&key).into_iter().collect();
    let turn = world.log.len() % versions.len().max(1);
    let Some(version) = versions.get(turn) else {
        return reply(
            503,
            &json!({"status": {"code": 503, "info": "no healthy upstream"}}),
        );
    };
    let model = json!({"name": "iris", "versions": [version], "platform": "seldon", "inputs": [], "outputs": []});
    match kind {
        "InferenceService" => reply(200, &model),
        _ => reply(
            200,
            &json!({"name": "default", "models": {container: model}}),
        ),
    }
}
