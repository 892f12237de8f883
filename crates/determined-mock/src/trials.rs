//! Trials: their logs, and what training code reports.

use serde_json::json;

use crate::Request;
use crate::experiments;
use crate::reply::Reply;
use crate::request::field;
use crate::world::{World, moment};

pub(crate) fn route(world: &mut World, request: &Request, method: &str, path: &[&str]) -> Reply {
    match (method, path) {
        ("PUT", ["trials"]) => {
            let create = request.field("createTrialRequest");
            let id = field(create, "experimentId").as_i64().unwrap_or_default();
            match world.experiments.get(&id) {
                Some(found) => Reply::ok(json!({"trial": experiments::trial(found, id * 10)})),
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
        ("POST", ["checkpoints"]) => {
            note(world, request);
            Reply::empty()
        }
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
        ("POST", ["start"]) => Reply::ok(json!({"trialRunId": 1, "stepsCompleted": 0})),
        ("POST", ["metrics" | "progress" | "early_exit"] | ["runner", "metadata"]) => {
            note(world, request);
            Reply::empty()
        }
        ("GET", ["logs"]) => logs(world, request, id),
        _ => Reply::refuse(12, "Not Implemented"),
    }
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
