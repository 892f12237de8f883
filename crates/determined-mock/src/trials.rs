//! Trials: their logs, and what training code reports.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::request::field;
use crate::world::{Metrics, World, moment};
use crate::{Checkpoint, Request, experiments};

pub(crate) fn route(world: &mut World, request: &Request, method: &str, path: &[&str]) -> Reply {
    match (method, path) {
        ("PUT", ["trials"]) => {
            let create = request.field("createTrialRequest");
            let id = field(create, "experimentId").as_i64().unwrap_or_default();
            match world.experiments.get(&id) {
                Some(found) if found.external_id.is_some() => {
                    Reply::ok(json!({"trial": experiments::trial(found, id * 10)}))
                }
                Some(_) => Reply::refuse(3, "only unmanaged trials are supported"),
                None => Reply::not_found("experiment", id),
            }
        }
        (_, ["trials", id, rest @ ..]) => match id.parse::<i64>() {
            Ok(id) if world.experiments.contains_key(&(id / 10)) && id % 10 == 0 => {
                trial(world, request, method, id, rest)
            }
            _ => Reply::not_found("trial", id),
        },
        ("POST", ["runs", "start"]) => {
            note(world, request);
            Reply::ok(json!({"storageId": 1}))
        }
        ("POST", ["checkpoints"]) => save(world, request),
        ("GET", ["allocations", _, "signals", "preemption"]) => {
            Reply::ok(json!({"preempt": world.preempt}))
        }
        ("POST", ["allocations", _, "signals", "ack_preemption"] | ["task", "logs"]) => {
            note(world, request);
            Reply::empty()
        }
        _ => Reply::refuse(12, "Not Implemented"),
    }
}

fn note(world: &mut World, request: &Request) {
    let report = (request.path.clone(), request.body.clone());
    world.reports.push(report);
}

fn trial(world: &mut World, request: &Request, method: &str, id: i64, path: &[&str]) -> Reply {
    let experiment = id / 10;
    match (method, path) {
        ("GET", []) => {
            let found = &world.experiments[&experiment];
            Reply::ok(json!({"trial": experiments::trial(found, id)}))
        }
        ("PATCH", []) if world.experiments[&experiment].external_id.is_none() => {
            Reply::refuse(3, "only unmanaged trials are supported")
        }
        ("PATCH", []) => {
            note(world, request);
            let state = request.field("state").as_str().unwrap_or_default();
            if let (Some(state), Some(found)) = (
                state.strip_prefix("STATE_"),
                world.experiments.get_mut(&experiment),
            ) {
                found.state = state.to_owned();
            }
            let found = &world.experiments[&experiment];
            Reply::ok(json!({"trial": experiments::trial(found, id)}))
        }
        ("POST", ["start"]) => start(world, id),
        ("POST", ["metrics"]) => {
            note(world, request);
            add_metrics(world, request, id)
        }
        ("POST", ["progress" | "early_exit"] | ["runner", "metadata"]) => {
            note(world, request);
            Reply::empty()
        }
        ("GET", ["logs"]) => logs(world, request, id),
        _ => Reply::refuse(12, "Not Implemented"),
    }
}

fn start(world: &mut World, id: i64) -> Reply {
    let trial = world.trials.entry(id).or_default();
    trial.run += 1;
    let mut answer = json!({"trialRunId": trial.run, "stepsCompleted": 0});
    if let Some(latest) = world.latest_checkpoint(id) {
        answer["latestCheckpoint"] = latest.uuid.clone().into();
    }
    Reply::ok(answer)
}

/// Later starts archive what earlier ones have reported from the same step on, and
/// nothing is overwritten (`master/internal/db/postgres_trial_metrics.go`).
fn add_metrics(world: &mut World, request: &Request, id: i64) -> Reply {
    let report = request.field("metrics");
    let number = |name| field(report, name).as_i64().unwrap_or_default();
    let (run, steps) = (number("trialRunId"), number("stepsCompleted"));
    let group = request.field("group").as_str().unwrap_or_default();
    let values = field(field(report, "metrics"), "avgMetrics").as_object();
    let Some(values) = values else {
        return Reply::refuse(3, "avgMetrics is missing");
    };
    let trial = world.trials.entry(id).or_default();
    if run != trial.run {
        let message = format!(
            "invalid run id, {run} (reported) != {} (expected)",
            trial.run
        );
        return Reply::refuse(3, message);
    }
    trial.metrics.retain(|m| {
        let rolled_back = m.steps > steps || (m.steps == steps && m.group == group);
        m.run >= run || !rolled_back
    });
    let same = |m: &&mut Metrics| m.group == group && m.steps == steps;
    let Some(existing) = trial.metrics.iter_mut().find(same) else {
        trial.metrics.push(Metrics {
            group: group.to_owned(),
            run,
            steps,
            values: values.clone(),
        });
        return Reply::empty();
    };
    if let Some(key) = values.keys().find(|key| existing.values.contains_key(*key)) {
        let message =
            format!("overwriting existing metric keys is not supported, conflicting key: {key}");
        return Reply::refuse(13, message);
    }
    existing.values.extend(values.clone());
    Reply::empty()
}

/// The trial is that of the task, which is named after it.
fn save(world: &mut World, request: &Request) -> Reply {
    note(world, request);
    let task = request.field("taskId").as_str().unwrap_or_default();
    let trial = task.split('.').next().and_then(|id| id.parse::<i64>().ok());
    let experiment = trial.map(|id| id / 10);
    let Some(found) = experiment.and_then(|id| world.experiments.get(&id)) else {
        return Reply::not_found("task", task);
    };
    let uuid = request.field("uuid").as_str().unwrap_or_default();
    if world.checkpoint(uuid).is_some() {
        return Reply::refuse(
            13,
            "inserting checkpoint: duplicate key value violates unique constraint",
        );
    }
    let metadata = field(request.field("metadata"), "stepsCompleted");
    let saved = Checkpoint {
        uuid: uuid.to_owned(),
        experiment: found.id,
        steps: metadata.as_u64().unwrap_or_default(),
        metric: None,
        files: stored(found.storage(), uuid),
        report: Some(request.body.clone()),
        rank: world.checkpoints.len(),
    };
    world.checkpoints.push(saved);
    Reply::empty()
}

/// The files of a checkpoint in a storage that is mounted into the master.
fn stored(storage: &Value, uuid: &str) -> BTreeMap<String, Vec<u8>> {
    let text = |key: &str| storage[key].as_str().unwrap_or_default();
    let root = match text("type") {
        "directory" => PathBuf::from(text("container_path")),
        _ => Path::new(text("host_path")).join(text("storage_path")),
    };
    let entries = fs::read_dir(root.join(uuid)).into_iter().flatten();
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            Some((name, fs::read(entry.path()).ok()?))
        })
        .collect()
}

fn logs(world: &World, request: &Request, id: i64) -> Reply {
    let follow = request.get("follow") == Some("true");
    let limit = request.get("limit").and_then(|text| text.parse().ok());
    if follow && limit.is_some() {
        return Reply::refuse(3, "follow and limit cannot be combined");
    }
    let lines = world.experiments[&(id / 10)].script.log.len();
    // The moment itself is repeated: its second line may be new.
    let from = request.get("timestampAfter").map_or(0, |after| {
        (0..lines).find(|&n| *moment(n) >= *after).unwrap_or(lines)
    });
    Reply::Log {
        trial: id,
        from,
        follow,
        limit,
    }
}
