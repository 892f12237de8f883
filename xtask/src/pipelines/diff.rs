//! Field by field: what a file says and what the cluster runs.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::descriptor::{self, DEFAULT_BRANCH};

/// A field that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// As `transform.cmd[4]`.
    pub(super) path: String,
    /// What the cluster has; null when it is not set there.
    pub(super) cluster: Value,
    pub(super) file: Value,
}

/// Keys of `PipelineInfo.details` that are no part of a specification.
const NO_SPECIFICATION: [&str; 11] = [
    "created_at",
    "updated_at",
    "created_by",
    "recent_error",
    "workers_requested",
    "workers_available",
    "workers_started_at",
    "salt",
    "reason",
    "unclaimed_tasks",
    "worker_rc",
];

/// The specification that somebody last gave to the cluster. Since 2.8 it is kept
/// as it came; before, it is what pachd made of it.
///
/// # Errors
///
/// When it cannot be read.
pub(super) fn specification(info: &Value) -> Result<Value> {
    let given = info.get("user_spec_json").and_then(Value::as_str);
    let spec = match given.filter(|text| !text.is_empty()) {
        Some(text) => serde_json::from_str(text).context("user_spec_json is not JSON")?,
        None => from_details(info)?,
    };
    descriptor::normalised(spec)
}

fn from_details(info: &Value) -> Result<Value> {
    let details = info.get("details").and_then(Value::as_object);
    let mut spec = details.context("pachctl gives no details")?.clone();
    spec.retain(|key, _| !NO_SPECIFICATION.contains(&key.as_str()));
    if let Some(Value::Object(determined)) = spec.get_mut("determined") {
        determined.remove("password");
    }
    let pipeline = info.get("pipeline").cloned().unwrap_or_default();
    spec.insert("pipeline".to_owned(), pipeline);
    Ok(Value::Object(spec))
}

/// The fields that differ, once what pachd fills in is filled in on both sides.
pub(super) fn changes(cluster: &Value, file: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", &filled(cluster), &filled(file), &mut changes);
    changes
}

/// Sets what pachd sets where nothing is said (`setPipelineDefaults`), and drops
/// what protobuf does not tell from nothing.
fn filled(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Value::Object(fields) = &mut spec {
        fields.remove("pipeline");
        let defaults = [
            ("output_branch", json!(DEFAULT_BRANCH)),
            ("datum_tries", json!(3)),
            ("reprocess_spec", json!("until_success")),
            ("parallelism_spec", json!({"constant": 1})),
        ];
        without_zeros(fields);
        for (key, value) in defaults {
            fields.entry(key).or_insert(value);
        }
        if let Some(input) = fields.get_mut("input") {
            fill_input(input);
        }
    }
    spec
}

fn fill_input(input: &mut Value) {
    let Value::Object(input) = input else { return };
    for (kind, value) in input.iter_mut() {
        match (kind.as_str(), value) {
            ("pfs", Value::Object(pfs)) => fill_pfs(pfs),
            (_, Value::Array(inputs)) => {
                inputs.iter_mut().for_each(fill_input);
                // pachd sorts them, and their order changes no datum.
                inputs.sort_by_key(first_name);
            }
            _ => {}
        }
    }
}

fn fill_pfs(pfs: &mut Map<String, Value>) {
    pfs.remove("project");
    let repo = pfs.get("repo").cloned().unwrap_or_default();
    pfs.entry("name").or_insert(repo);
    pfs.entry("repo_type").or_insert(json!("user"));
    if !pfs.contains_key("trigger") {
        pfs.entry("branch").or_insert(json!(DEFAULT_BRANCH));
    }
    if let Some(Value::String(glob)) = pfs.get_mut("glob")
        && !glob.starts_with('/')
    {
        glob.insert(0, '/');
    }
}

fn first_name(input: &Value) -> String {
    let Some((_, value)) = input.as_object().and_then(|input| input.iter().next()) else {
        return String::new();
    };
    match value {
        Value::Array(inputs) => inputs.first().map(first_name).unwrap_or_default(),
        leaf => {
            let name = leaf.get("name").and_then(Value::as_str);
            name.unwrap_or_default().to_owned()
        }
    }
}

/// Free keys: an empty value is one.
const MAPS: [&str; 4] = ["env", "annotations", "labels", "node_selector"];

fn without_zeros(fields: &mut Map<String, Value>) {
    fields.retain(|_, value| match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Null => false,
        Value::Object(_) => true,
    });
    for (key, value) in fields.iter_mut() {
        match value {
            Value::Object(inner) if !MAPS.contains(&key.as_str()) => without_zeros(inner),
            Value::Array(items) => {
                for item in items {
                    if let Value::Object(inner) = item {
                        without_zeros(inner);
                    }
                }
            }
            _ => {}
        }
    }
}

fn compare(path: &str, cluster: &Value, file: &Value, changes: &mut Vec<Change>) {
    match (cluster, file) {
        (Value::Object(one), Value::Object(other)) => {
            let added = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(added) {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let side = |side: &Map<String, Value>| side.get(key).cloned().unwrap_or_default();
                compare(&path, &side(one), &side(other), changes);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}[{index}]"), one, other, changes);
            }
        }
        _ if cluster == file => {}
        _ => changes.push(Change {
            path: path.to_owned(),
            cluster: shown(path, cluster),
            file: shown(path, file),
        }),
    }
}

/// Variables whose name says that their value is nobody's business.
fn shown(path: &str, value: &Value) -> Value {
    let path = path.to_uppercase();
    let hides = [
        "PASSWORD",
        "TOKEN",
        "SECRET_",
        "_KEY",
        "POD_PATCH",
        "POD_SPEC",
    ];
    let hidden = path.starts_with("TRANSFORM.ENV") || path.starts_with("POD_");
    if hidden && hides.iter().any(|word| path.contains(word)) && !value.is_null() {
        return json!("***");
    }
    value.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Value {
        json!({
            "pipeline": {"name": "m"},
            "input": {"cross": [
                {"pfs": {"repo": "d", "name": "data", "glob": "/"}},
                {"pfs": {"repo": "e", "glob": "/*"}},
            ]},
            "transform": {"image": "x/train:1", "cmd": ["/train", "--a", "b"], "env": {"A": ""}},
        })
    }

    fn paths(cluster: &Value, file: &Value) -> Vec<String> {
        let changes = changes(cluster, file);
        changes.into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn what_pachd_fills_in_is_no_change() {
        let info = json!({
            "pipeline": {"project": {"name": "default"}, "name": "m"},
            "version": "2", "state": "PIPELINE_STANDBY",
            "details": {
                "transform": {"image": "x/train:1", "cmd": ["/train", "--a", "b"], "env": {"A": ""}},
                "created_at": "2026-01-01T00:00:00Z", "created_by": "me", "salt": "s",
                "output_branch": "master", "datum_tries": "3",
                "reprocess_spec": "until_success", "workers_requested": "1",
                "input": {"cross": [
                    {"pfs": {"project": "default", "name": "e", "repo": "e",
                             "repo_type": "user", "branch": "master", "glob": "/*"}},
                    {"pfs": {"project": "default", "name": "data", "repo": "d",
                             "repo_type": "user", "branch": "master", "glob": "/"}},
                ]},
            },
        });
        let old = specification(&info).unwrap();
        assert_eq!(paths(&old, &spec()), Vec::<String>::new());
        let text = r#"{"pipeline":{"name":"m","project":{"name":"default"}},"autoscaling":false,
            "input":{"cross":[{"pfs":{"repo":"d","name":"data","glob":"/"}},
            {"pfs":{"repo":"e","glob":"/*"}}]},"datumTries":"3","parallelismSpec":{"constant":"1"},
            "transform":{"image":"x/train:1","cmd":["/train","--a","b"],"env":{"A":""}}}"#;
        let new = specification(&json!({"user_spec_json": text})).unwrap();
        assert_eq!(paths(&new, &spec()), Vec::<String>::new());
    }

    #[test]
    fn a_change_has_its_path_and_both_values() {
        let mut file = spec();
        *file.pointer_mut("/transform/cmd/2").unwrap() = json!("c");
        file["datum_tries"] = json!(1);
        file["autoscaling"] = json!(true);
        file["transform"]["env"] = json!({"A": "1", "DB_PASSWORD": "p"});
        let found = changes(&spec(), &file);
        let found: Vec<(&str, &Value, &Value)> = found
            .iter()
            .map(|change| (change.path.as_str(), &change.cluster, &change.file))
            .collect();
        let wanted = [
            ("transform.cmd[2]", &json!("b"), &json!("c")),
            ("transform.env.A", &json!(""), &json!("1")),
            ("transform.env.DB_PASSWORD", &Value::Null, &json!("***")),
            ("datum_tries", &json!(3), &json!(1)),
            ("autoscaling", &Value::Null, &json!(true)),
        ];
        assert_eq!(found, wanted);
        let mut longer = spec();
        longer["transform"]["cmd"] = json!(["/train"]);
        assert_eq!(paths(&spec(), &longer), ["transform.cmd"]);
    }
}
