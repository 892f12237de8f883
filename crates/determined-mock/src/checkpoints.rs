//! Checkpoints: of a script, or as training code has reported them.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use crate::page::page;
use crate::reply::Reply;
use crate::request::field;
use crate::world::World;
use crate::{Checkpoint, Request};

pub(crate) fn describe(world: &World, checkpoint: &Checkpoint) -> Value {
    let experiment = &world.experiments[&checkpoint.experiment];
    let mut resources = Map::new();
    for (path, content) in &checkpoint.files {
        for (slash, _) in path.match_indices('/') {
            resources.insert(path[..=slash].to_owned(), "0".into());
        }
        resources.insert(path.clone(), content.len().to_string().into());
    }
    if let Some(report) = &checkpoint.report {
        return reported(world, checkpoint, report);
    }
    let metric_name = experiment.config["searcher"]["metric"].as_str();
    let trial = experiment.id * 10;
    let mut training = json!({
        "trialId": trial, "experimentId": experiment.id,
        "experimentConfig": experiment.config, "hparams": {},
        "trainingMetrics": {"avgMetrics": {"loss": 0.1}, "batchMetrics": []},
        "validationMetrics": {"avgMetrics": null, "batchMetrics": []},
    });
    if let Some(metric) = checkpoint.metric {
        let metric = double(metric);
        training["validationMetrics"]["avgMetrics"] =
            json!({metric_name.unwrap_or("metric"): metric});
        training["searcherMetric"] = metric;
    }
    json!({
        "taskId": format!("{trial}.0b7b1b9e"), "allocationId": format!("{trial}.0b7b1b9e.1"),
        "uuid": checkpoint.uuid, "reportTime": format!("2026-01-02T03:04:{:02}Z", checkpoint.rank % 60),
        "resources": resources,
        "metadata": {"steps_completed": checkpoint.steps, "framework": "torch-2.3.0",
            "format": "pickle", "determined_version": "0.38.1"},
        "state": "STATE_COMPLETED", "training": training, "storageId": 1,
    })
}

/// A checkpoint as training code has reported it. It has a score if a validation
/// was reported at the same step.
fn reported(world: &World, checkpoint: &Checkpoint, report: &Value) -> Value {
    let experiment = &world.experiments[&checkpoint.experiment];
    let trial = experiment.id * 10;
    let steps = field(field(report, "metadata"), "stepsCompleted");
    let metrics = |group: &str| {
        let all = world.trials.get(&trial).map_or(&[][..], |t| &t.metrics);
        let found = all
            .iter()
            .find(|m| m.group == group && Some(m.steps) == steps.as_i64());
        found.map_or(Value::Null, |m| m.values.clone().into())
    };
    let mut training = json!({
        "trialId": trial, "experimentId": experiment.id,
        "experimentConfig": experiment.config, "hparams": {},
        "trainingMetrics": {"avgMetrics": metrics("training"), "batchMetrics": []},
        "validationMetrics": {"avgMetrics": metrics("validation"), "batchMetrics": []},
    });
    let name = experiment.config["searcher"]["metric"].as_str();
    let metric = &training["validationMetrics"]["avgMetrics"][name.unwrap_or_default()];
    if !metric.is_null() {
        training["searcherMetric"] = metric.clone();
    }
    json!({
        "taskId": report["taskId"], "allocationId": report["allocationId"],
        "uuid": report["uuid"], "reportTime": report["reportTime"],
        "resources": report["resources"], "metadata": report["metadata"],
        "state": report["state"], "training": training, "storageId": report["storageId"],
    })
}

/// A number as protobuf writes it.
fn double(number: f64) -> Value {
    match number {
        n if n.is_nan() => "NaN".into(),
        n if n.is_infinite() && n > 0.0 => "Infinity".into(),
        n if n.is_infinite() => "-Infinity".into(),
        n => n.into(),
    }
}

pub(crate) fn list(world: &World, request: &Request, id: i64) -> Reply {
    let experiment = &world.experiments[&id];
    let mut found: Vec<&Checkpoint> = world
        .checkpoints
        .iter()
        .filter(|c| c.experiment == id)
        .collect();
    let value = |c: &Checkpoint| match &c.report {
        None => c.metric,
        Some(_) => describe(world, c)["training"]["searcherMetric"].as_f64(),
    };
    let by_name = request.get("sortByMetric").is_some();
    if by_name || request.get("sortByAttr") == Some("SORT_BY_SEARCHER_METRIC") {
        let descending = match request.get("orderBy") {
            Some(order) => order == "ORDER_BY_DESC",
            None => !experiment.smaller_is_better(),
        };
        // Ascending by name puts those without the metric first.
        let nulls_first = by_name && !descending;
        found.sort_by(|a, b| less(value(a), value(b), descending, nulls_first));
    }
    let found = found.into_iter().map(|c| describe(world, c)).collect();
    page(request, "checkpoints", found, 0, false, json!({}))
}

fn less(a: Option<f64>, b: Option<f64>, descending: bool, nulls_first: bool) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, _) if nulls_first => Ordering::Less,
        (_, None) if nulls_first => Ordering::Greater,
        (None, _) => Ordering::Greater,
        (_, None) => Ordering::Less,
        // NaN equals everything, as its comparisons do in the master.
        (Some(a), Some(b)) if descending => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}
