//! Experiments.

use serde_json::{Map, Value, json};

use crate::page::page;
use crate::reply::Reply;
use crate::world::{NOW, World};
use crate::{Experiment, Outcome, Request, checkpoints};

/// The keys of an experiment configuration (`expconf/experiment.json`), which is
/// closed.
const KEYS: [&str; 34] = [
    "bind_mounts",
    "checkpoint_policy",
    "checkpoint_storage",
    "data",
    "data_layer",
    "debug",
    "description",
    "entrypoint",
    "environment",
    "hyperparameters",
    "integrations",
    "internal",
    "labels",
    "log_policies",
    "max_restarts",
    "min_checkpoint_period",
    "min_validation_period",
    "name",
    "optimizations",
    "pbs",
    "perform_initial_validation",
    "preemption_timeout",
    "profiling",
    "project",
    "records_per_epoch",
    "reproducibility",
    "resources",
    "retention_policy",
    "scheduling_unit",
    "searcher",
    "security",
    "slurm",
    "tensorboard_storage",
    "workspace",
];

pub(crate) fn route(world: &mut World, request: &Request, method: &str, path: &[&str]) -> Reply {
    if let ("PUT", ["by-external-id", external]) = (method, path) {
        return upsert(world, request, external);
    }
    match (method, path) {
        ("POST", []) => return create(world, request),
        ("GET", []) => return list(world, request),
        _ => {}
    }
    let Some((id, rest)) = path.split_first() else {
        return Reply::refuse(12, "Not Implemented");
    };
    let Some(experiment) = id
        .parse()
        .ok()
        .and_then(|id: i64| world.experiments.get_mut(&id))
    else {
        return Reply::not_found("experiment", id);
    };
    let id = experiment.id;
    match (method, rest) {
        ("GET", []) => {
            advance(world, id);
            let found = &world.experiments[&id];
            let waits = found.state == "QUEUED";
            let job = waits.then(|| json!({"state": "STATE_QUEUED", "jobsAhead": 1}));
            Reply::ok(json!({
                "experiment": describe(found), "jobSummary": job, "config": found.config,
            }))
        }
        ("POST", ["activate"]) => {
            if experiment.state == "PAUSED" {
                experiment.state = "QUEUED".to_owned();
            }
            Reply::empty()
        }
        ("POST", ["cancel" | "kill"]) => {
            if !experiment.is_over() {
                experiment.state = "STOPPING_CANCELED".to_owned();
            }
            Reply::empty()
        }
        ("GET", ["trials"]) => {
            let trials = experiment.trial().map(|id| trial(experiment, id));
            page(
                request,
                "trials",
                Vec::from_iter(trials),
                0,
                false,
                json!({}),
            )
        }
        ("GET", ["checkpoints"]) => checkpoints::list(world, request, id),
        _ => Reply::refuse(12, "Not Implemented"),
    }
}

/// One look lets time pass.
fn advance(world: &mut World, id: i64) {
    let Some(experiment) = world.experiments.get_mut(&id) else {
        return;
    };
    if experiment.external_id.is_some() || experiment.is_over() || experiment.state == "PAUSED" {
        return;
    }
    if experiment.state.starts_with("STOPPING") {
        experiment.state = "CANCELED".to_owned();
        return;
    }
    experiment.step += 1;
    if let Some(state) = experiment.script.states.get(experiment.step) {
        experiment.state = state.clone();
        return;
    }
    let script = experiment.script.clone();
    experiment.state = match script.outcome {
        Outcome::Completed => "COMPLETED",
        Outcome::Error => "ERROR",
        Outcome::Paused => "PAUSED",
        Outcome::Endless => "RUNNING",
    }
    .to_owned();
    if script.outcome == Outcome::Completed {
        for saved in script.checkpoints {
            world.add_checkpoint(id, saved.steps, saved.metric, saved.files);
        }
    }
}

/// The configuration as the master would store it, or why it refuses it.
fn read_config(world: &World, request: &Request) -> Result<(String, Value), Reply> {
    let invalid = |why: &str| Reply::refuse(13, format!("invalid experiment configuration: {why}"));
    let text = request.field("config").as_str().unwrap_or_default();
    let config: Option<Map<String, Value>> = serde_saphyr::from_str(text).ok();
    let mut config = config.ok_or_else(|| invalid("it is not a mapping"))?;
    if let Some(key) = config.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(invalid(&format!("json: unknown field {key:?}")));
    }
    let unmanaged = request.field("unmanaged").as_bool().unwrap_or(false);
    if !unmanaged && !config.contains_key("entrypoint") {
        return Err(invalid("<config>.entrypoint is a required property"));
    }
    let searcher = config.get("searcher").cloned().unwrap_or_default();
    if searcher["metric"].as_str().is_none() {
        return Err(invalid("<config>.searcher.metric is a required property"));
    }
    let validate_only = request.field("validateOnly").as_bool().unwrap_or(false);
    if let Some(uuid) = searcher["source_checkpoint_uuid"].as_str()
        && !validate_only
        && world.checkpoint(uuid).is_none()
    {
        return Err(Reply::refuse(13, format!("checkpoint {uuid} not found")));
    }
    config.entry("checkpoint_storage").or_insert_with(|| {
        json!({
            "type": "shared_fs", "host_path": "/nonexistent-shared", "storage_path": null,
            "propagation": "rprivate", "save_experiment_best": 0, "save_trial_best": 1,
            "save_trial_latest": 1,
        })
    });
    config.entry("labels").or_insert(Value::Null);
    config.entry("name").or_insert("generated-name".into());
    Ok((text.to_owned(), Value::Object(config)))
}

fn create(world: &mut World, request: &Request) -> Reply {
    let (original, config) = match read_config(world, request) {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let parent = request.field("parentId").as_i64().filter(|&id| id != 0);
    let parent_files = parent.map(|id| world.experiments.get(&id).map(|e| e.files.clone()));
    let files = match parent_files {
        Some(None) => return Reply::not_found("experiment", parent.unwrap_or_default()),
        // The parent's stored code counts, whatever is sent.
        Some(Some(files)) => files,
        None => request.field("modelDefinition").clone(),
    };
    if request.field("validateOnly").as_bool().unwrap_or(false) {
        let mut nothing = describe(&new(world, 0, original, config.clone(), files));
        nothing["id"] = json!(0);
        return Reply::ok(json!({"experiment": nothing, "config": config, "warnings": []}));
    }
    let id = world.experiments.keys().last().map_or(1, |last| last + 1);
    let mut experiment = new(world, id, original, config.clone(), files);
    experiment.parent = parent;
    let activate = request.field("activate").as_bool().unwrap_or(false);
    if activate && !experiment.script.activation_fails {
        experiment.state = experiment.script.states[0].clone();
    }
    let description = describe(&experiment);
    let fails = activate && experiment.script.activation_fails;
    world.experiments.insert(id, experiment);
    if fails {
        return Reply::refuse(13, "failed to activate experiment");
    }
    Reply::ok(json!({"experiment": description, "config": config, "warnings": []}))
}

fn new(world: &World, id: i64, original: String, config: Value, files: Value) -> Experiment {
    Experiment {
        id,
        config,
        original,
        files,
        parent: None,
        state: "PAUSED".to_owned(),
        archived: false,
        external_id: None,
        script: world.script.clone(),
        step: 0,
    }
}

/// Creates a detached experiment, or finds the one with this identity.
fn upsert(world: &mut World, request: &Request, external: &str) -> Reply {
    if request.field("unmanaged").as_bool() != Some(true) {
        return Reply::refuse(3, "only unmanaged experiments are supported");
    }
    let (original, config) = match read_config(world, request) {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let known = world
        .experiments
        .values()
        .find(|e| e.external_id.as_deref() == Some(external))
        .map(|e| e.id);
    let id = known.unwrap_or_else(|| {
        let id = world.experiments.keys().last().map_or(1, |last| last + 1);
        let mut experiment = new(world, id, original, config, Value::Null);
        experiment.external_id = Some(external.to_owned());
        world.experiments.insert(id, experiment);
        id
    });
    let found = &world.experiments[&id];
    Reply::ok(json!({"experiment": describe(found), "config": found.config}))
}

fn list(world: &World, request: &Request) -> Reply {
    let wanted = request.all("labels");
    let archived = request.get("archived").map(|text| text == "true");
    let mut found: Vec<&Experiment> = world
        .experiments
        .values()
        .filter(|e| wanted.iter().all(|label| e.labels().contains(label)))
        .filter(|e| archived.is_none_or(|archived| e.archived == archived))
        .collect();
    if request.get("orderBy") == Some("ORDER_BY_DESC") {
        found.reverse();
    }
    let found = found.into_iter().map(describe).collect();
    page(request, "experiments", found, 100, true, json!({}))
}

pub(crate) fn describe(experiment: &Experiment) -> Value {
    let trial = experiment.trial();
    let step = experiment.step.min(experiment.script.states.len());
    let progress = (step > 0).then(|| step as f64 / experiment.script.states.len() as f64);
    json!({
        "id": experiment.id, "description": "", "labels": experiment.labels(),
        "startTime": NOW, "endTime": experiment.is_over().then_some(NOW),
        "state": format!("STATE_{}", experiment.state), "archived": experiment.archived,
        "numTrials": i32::from(trial.is_some()), "trialIds": Vec::from_iter(trial),
        "displayName": "", "userId": 2, "username": crate::USER, "resourcePool": "default",
        "searcherType": "single", "searcherMetric": experiment.config["searcher"]["metric"],
        "hyperparameters": null, "name": experiment.config["name"], "notes": "",
        "jobId": format!("0b7b1b9e-6b1d-4a2f-9a5e-{:012}", experiment.id),
        "forkedFrom": experiment.parent, "progress": progress, "projectId": 1,
        "projectName": "Uncategorized", "workspaceId": 1, "workspaceName": "Uncategorized",
        "parentArchived": false, "config": experiment.config,
        "originalConfig": experiment.original, "projectOwnerId": 1, "checkpointSize": "0",
        "checkpointCount": 0, "unmanaged": experiment.external_id.is_some(),
        "modelDefinitionSize": 1024,
    })
}

pub(crate) fn trial(experiment: &Experiment, id: i64) -> Value {
    let state = match experiment.state.as_str() {
        over if experiment.is_over() => over,
        _ => "RUNNING",
    };
    let task = format!("{id}.0b7b1b9e");
    json!({
        "id": id, "experimentId": experiment.id, "startTime": NOW, "endTime": null,
        "state": format!("STATE_{state}"), "restarts": 0, "hparams": {},
        "totalBatchesProcessed": 0, "bestValidation": null, "latestValidation": null,
        "bestCheckpoint": null, "runnerState": "", "wallClockTime": 0,
        "warmStartCheckpointUuid": "", "taskId": task, "totalCheckpointSize": "0",
        "checkpointCount": 0, "summaryMetrics": {}, "taskIds": [task],
    })
}
