//! The model registry.

use serde_json::{Value, json};

use crate::page::page;
use crate::reply::Reply;
use crate::world::{NOW, World};
use crate::{Model, Request, Version, checkpoints};

pub(crate) fn route(world: &mut World, request: &Request, method: &str, path: &[&str]) -> Reply {
    match (method, path) {
        ("GET", []) => list(world, request),
        ("POST", []) => create(world, request),
        (_, [name, rest @ ..]) => {
            let number = name.parse::<i64>().ok();
            let found = world.models.iter().position(|model| match number {
                Some(id) => model.id == id,
                None => model.name() == *name,
            });
            match found {
                Some(index) => model(world, request, method, index, rest),
                None => Reply::refuse(5, format!("model {name:?} not found")),
            }
        }
        _ => Reply::refuse(12, "Not Implemented"),
    }
}

fn model(world: &mut World, request: &Request, method: &str, index: usize, path: &[&str]) -> Reply {
    match (method, path) {
        ("GET", []) => Reply::ok(json!({"model": describe(&world.models[index], 1)})),
        ("PATCH", []) => {
            for key in ["description", "metadata", "labels", "notes"] {
                if !request.field(key).is_null() {
                    world.models[index].body[key] = request.field(key).clone();
                }
            }
            Reply::ok(json!({"model": describe(&world.models[index], 1)}))
        }
        ("GET", ["versions"]) => {
            let model = &world.models[index];
            let versions = model.versions.iter();
            let mut versions: Vec<Value> = versions.map(|v| version(world, model, v, 0)).collect();
            if request.get("orderBy") == Some("ORDER_BY_DESC") {
                versions.reverse();
            }
            let more = json!({"model": describe(model, 1)});
            page(request, "modelVersions", versions, 0, false, more)
        }
        ("POST", ["versions"]) => register(world, request, index),
        (_, ["versions", number]) => {
            let versions = &world.models[index].versions;
            match versions
                .iter()
                .position(|v| v.number.to_string() == *number)
            {
                Some(at) => one_version(world, request, method, index, at),
                None => Reply::not_found("version", number),
            }
        }
        _ => Reply::refuse(12, "Not Implemented"),
    }
}

fn one_version(
    world: &mut World,
    request: &Request,
    method: &str,
    index: usize,
    at: usize,
) -> Reply {
    match method {
        "DELETE" => {
            world.models[index].versions.remove(at);
            return Reply::empty();
        }
        "PATCH" => {
            let version = &mut world.models[index].versions[at];
            if let Some(name) = request.field("name").as_str() {
                version.name = name.to_owned();
            }
            if let Some(notes) = request.field("notes").as_str() {
                version.notes = notes.to_owned();
            }
        }
        "GET" => {}
        _ => return Reply::refuse(12, "Not Implemented"),
    }
    let model = &world.models[index];
    Reply::ok(json!({"modelVersion": version(world, model, &model.versions[at], 1)}))
}

fn list(world: &World, request: &Request) -> Reply {
    let part = request.get("name").unwrap_or_default().to_lowercase();
    let mut found: Vec<&Model> = world
        .models
        .iter()
        .filter(|model| model.name().to_lowercase().contains(&part))
        .collect();
    if request.get("sortBy") == Some("SORT_BY_NAME") {
        found.sort_by(|a, b| a.name().cmp(b.name()));
    }
    let found = found.into_iter().map(|model| describe(model, 1)).collect();
    page(request, "models", found, 0, false, json!({}))
}

fn create(world: &mut World, request: &Request) -> Reply {
    let name = request.field("name").as_str().unwrap_or_default();
    let bad = name.trim().is_empty()
        || name.contains("  ")
        || name.contains(['/', '\\'])
        || name.bytes().all(|b| b.is_ascii_digit());
    if bad {
        return Reply::refuse(3, format!("invalid model name {name:?}"));
    }
    if world.model(name).is_some() {
        return Reply::refuse(6, "avoid names equal to other models (case-sensitive)");
    }
    let body = json!({
        "name": name,
        "description": request.field("description").as_str().unwrap_or_default(),
        "metadata": non_null(request.field("metadata"), json!({})),
        "labels": non_null(request.field("labels"), json!([])),
        "notes": request.field("notes").as_str().unwrap_or_default(),
    });
    let id = world.models.last().map_or(7, |last| last.id + 3);
    world.models.push(Model {
        id,
        body,
        archived: false,
        versions: Vec::new(),
    });
    Reply::ok(json!({"model": describe(&world.models[world.models.len() - 1], 1)}))
}

fn non_null(value: &Value, otherwise: Value) -> Value {
    if value.is_null() {
        return otherwise;
    }
    value.clone()
}

fn register(world: &mut World, request: &Request, index: usize) -> Reply {
    let uuid = request.field("checkpointUuid").as_str().unwrap_or_default();
    if world.checkpoint(uuid).is_none() {
        return Reply::not_found("checkpoint", uuid);
    }
    let model = &mut world.models[index];
    if model.archived {
        return Reply::refuse(13, format!("model {:?} is archived", model.name()));
    }
    let number = model.versions.iter().map(|v| v.number).max().unwrap_or(0) + 1;
    model.versions.push(Version {
        number,
        name: request
            .field("name")
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        notes: request
            .field("notes")
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        checkpoint: uuid.to_owned(),
    });
    let model = &world.models[index];
    let last = &model.versions[model.versions.len() - 1];
    Reply::ok(json!({"modelVersion": version(world, model, last, 0)}))
}

/// Only the answer about one version tells the workspace of its model.
fn describe(model: &Model, workspace: i32) -> Value {
    let mut body = model.body.clone();
    let more = json!({
        "id": model.id, "creationTime": NOW, "lastUpdatedTime": NOW, "userId": 2,
        "username": crate::USER, "workspaceId": workspace, "archived": model.archived,
        "numVersions": model.versions.len(),
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn version(world: &World, model: &Model, version: &Version, workspace: i32) -> Value {
    let checkpoint = world
        .checkpoint(&version.checkpoint)
        .map(|found| checkpoints::describe(world, found));
    json!({
        "model": describe(model, workspace), "checkpoint": checkpoint,
        "version": version.number, "creationTime": NOW, "id": model.id * 100 + version.number + 40,
        "name": version.name, "metadata": null, "lastUpdatedTime": NOW, "comment": "",
        "username": crate::USER, "userId": 2, "labels": [], "notes": version.notes,
    })
}
