//! Plan, jobs and status for machines. The keys are documented in
//! docs/pipelines.md and do not change.

use std::path::Path;

use serde_json::{Value, json};

use super::job::Job;
use super::plan::Plan;
use super::step::{Running, Step};

/// The plan.
pub(super) fn plan(plan: &Plan, root: &Path) -> Value {
    let repos = plan
        .repos
        .iter()
        .map(|(project, name)| json!({"name": name, "project": project, "action": "create"}));
    let secrets = plan
        .secrets
        .iter()
        .map(|name| json!({"name": name, "action": "create"}));
    let steps = plan.steps.iter().map(|step| self::step(step, root));
    json!({
        "pipelines": steps.collect::<Vec<Value>>(),
        "repos": repos.collect::<Vec<Value>>(),
        "secrets": secrets.collect::<Vec<Value>>(),
    })
}

/// The plan, and the jobs that it caused.
pub(super) fn outcome(plan: &Plan, root: &Path, jobs: &[Job]) -> Value {
    let mut document = self::plan(plan, root);
    if let Value::Object(keys) = &mut document {
        keys.insert("jobs".to_owned(), json!(jobs));
    }
    document
}

/// What the cluster runs.
pub(super) fn status(plan: &Plan, root: &Path) -> Value {
    let pipelines = plan.steps.iter().map(|step| {
        let mut entry = self::step(step, root);
        if let (Value::Object(keys), Some(running)) = (&mut entry, &step.running) {
            keys.insert("last_job".to_owned(), json!(running.last_job));
            keys.insert("reason".to_owned(), json!(running.reason));
        }
        entry
    });
    json!({"pipelines": pipelines.collect::<Vec<Value>>()})
}

fn step(step: &Step, root: &Path) -> Value {
    let running = step.running.as_ref();
    json!({
        "name": step.descriptor.name(),
        "file": step.file(root),
        "action": step.word(),
        "reasons": step.reasons,
        "changes": step.changes,
        "version": running.map(|running| running.version),
        "state": running.map(|running| &running.state),
        "stopped": running.is_some_and(|running: &Running| running.stopped),
    })
}
