//! What the operator makes for an object, as the Kubernetes API shows it:
//! Deployments, pods and events.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::World;
use super::model::{self, Behaviour};
use super::track::{Track, deployment_name};

/// Predictors whose Deployment is still there.
fn tracks<'a>(world: &'a World, key: &str) -> Vec<&'a Track> {
    let gone = Duration::from_millis(model::NEW_POD);
    let there = |track: &&Track| track.removed.is_none_or(|at| at.elapsed() < gone);
    world.objects[key].tracks.values().filter(there).collect()
}

pub(crate) fn deployments(world: &World, key: &str) -> Vec<Value> {
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

pub(crate) fn pods(world: &World, key: &str) -> Vec<Value> {
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

pub(crate) fn events(world: &World) -> Value {
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
