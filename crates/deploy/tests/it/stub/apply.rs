//! Server-side apply, with what stands before it: schema and webhook.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::kubernetes::{failure, status};
use super::{Call, World, json as reply, owners};
use crate::support::crd;

/// Server-side apply.
pub(crate) fn apply(
    world: &mut World,
    call: &Call,
    key: &str,
    version: &str,
    kind: &str,
) -> Response<Body> {
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
    crd::fill_defaults(&mut object);
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
        // Lists without keys are one field, and so is what else an object has of pods.
        let field = match kind {
            "InferenceService" => "predictor",
            _ => "predictors",
        };
        let differs = live["spec"][field] != object["spec"][field];
        if other != manager && differs && call.query("force") != "true" {
            return conflict(other, &format!(".spec.{field}"));
        }
    }
    let applied = owners::keys(&object);
    let force = call.query("force") == "true";
    if let Some(stored) = world.objects.get(key)
        && let Err((other, field)) = owners::merge(stored, &mut object, manager, force)
    {
        return conflict(&other, &field);
    }
    if call.query("dryRun") == "All" {
        return reply(if live.is_some() { 200 } else { 201 }, &object);
    }
    if let Some((live, _)) = &live {
        // Nothing new: the API server keeps generation and resourceVersion.
        if live["spec"] == object["spec"]
            && live["metadata"]["annotations"] == object["metadata"]["annotations"]
            && live["metadata"]["labels"] == object["metadata"]["labels"]
        {
            return reply(200, &world.shown(key).unwrap());
        }
    }
    let stored = world.store(key, object, manager);
    owners::apply(world.objects.get_mut(key).unwrap(), &applied, manager);
    reply(if live.is_some() { 200 } else { 201 }, &stored)
}

fn conflict(manager: &str, field: &str) -> Response<Body> {
    let message = format!("conflict with \"{manager}\"");
    let mut body = status(
        409,
        &format!("Apply failed with 1 conflict: {message}: {field}"),
    );
    body["details"] = json!({"causes": [{
        "reason": "FieldManagerConflict", "message": message, "field": field,
    }]});
    reply(409, &body)
}

/// Strict field validation by the CRD.
fn invalid(call: &Call, object: &Value) -> Option<String> {
    if call.query("fieldValidation") != "Strict" {
        return Some("the stub wants fieldValidation=Strict".to_owned());
    }
    if object["kind"] != "SeldonDeployment" {
        return None;
    }
    let complaints = crd::complaints(crd::shared(), object);
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
