//! What of a descriptor this runner honours; everything else is refused by name
//! before anything runs.

use serde_json::Value;

use super::glob::Glob;
use crate::descriptor::{DEFAULT_BRANCH, DEFAULT_PROJECT, Descriptor, Input};

/// What the runner does with a field.
enum Support {
    /// What Pachyderm does.
    Honoured,
    /// Nothing, as it changes no result on one machine.
    NoEffect,
    /// Only this value, which is the default.
    Only(&'static str),
    /// Refuses it, unless it is off, and says why.
    Refused(&'static str),
}

use Support::{Honoured, NoEffect, Only, Refused};

const CLUSTER: &str = "needs a cluster";
const NOT_YET: &str = "is not run locally";
const OBJECT_STORE: &str = "needs Pachyderm's S3 gateway";

const REQUEST: &[(&str, Support)] = &[
    ("pipeline", Honoured),
    ("description", NoEffect),
    ("input", Honoured),
    ("transform", Honoured),
    ("parallelism_spec", Honoured),
    ("egress", Refused(CLUSTER)),
    ("output_branch", Only(DEFAULT_BRANCH)),
    ("s3_out", Refused(OBJECT_STORE)),
    ("resource_requests", NoEffect),
    ("resource_limits", NoEffect),
    ("sidecar_resource_requests", NoEffect),
    ("sidecar_resource_limits", NoEffect),
    ("service", Refused(CLUSTER)),
    ("spout", Refused(CLUSTER)),
    ("tf_job", Refused("was never finished by Pachyderm")),
    ("datum_set_spec", NoEffect),
    ("datum_timeout", Honoured),
    ("job_timeout", Honoured),
    ("datum_tries", Honoured),
    ("scheduling_spec", NoEffect),
    ("pod_spec", Refused(CLUSTER)),
    ("pod_patch", Refused(CLUSTER)),
    ("metadata", NoEffect),
    ("reprocess_spec", Honoured),
    ("autoscaling", NoEffect),
    ("maximum_expected_uptime", NoEffect),
    ("tolerations", NoEffect),
    ("determined", Refused(CLUSTER)),
];

const TRANSFORM: &[(&str, Support)] = &[
    ("image", Honoured),
    ("cmd", Honoured),
    ("stdin", Honoured),
    ("env", Honoured),
    ("secrets", Honoured),
    ("accept_return_code", Honoured),
    ("working_dir", Honoured),
    ("image_pull_secrets", NoEffect),
    ("debug", NoEffect),
    ("dockerfile", NoEffect),
    ("memory_volume", NoEffect),
    ("err_cmd", Honoured),
    ("err_stdin", Honoured),
    ("user", Honoured),
    ("datum_batching", Refused(NOT_YET)),
];

const SECRET: &[(&str, Support)] = &[
    ("name", Honoured),
    ("key", Honoured),
    ("env_var", Honoured),
    ("mount_path", Honoured),
];

const PFS: &[(&str, Support)] = &[
    ("name", Honoured),
    ("repo", Honoured),
    ("glob", Honoured),
    ("project", Only(DEFAULT_PROJECT)),
    ("repo_type", Only("user")),
    ("branch", Only(DEFAULT_BRANCH)),
    ("commit", Refused("must not be set")),
    ("join_on", Honoured),
    ("outer_join", Honoured),
    ("group_by", Honoured),
    ("lazy", Honoured),
    ("empty_files", Honoured),
    ("s3", Refused(OBJECT_STORE)),
    ("trigger", Refused(NOT_YET)),
    ("propagation_spec", Honoured),
    ("reference", Honoured),
];

/// Everything in `descriptor` that this runner would have to ignore.
pub(super) fn refusals(descriptor: &Descriptor) -> Vec<String> {
    let mut found = Vec::new();
    let fields = &descriptor.fields;
    check(fields, REQUEST, "", &mut found);
    check(
        fields.pointer("/pipeline/project").unwrap_or(&Value::Null),
        &[("name", Only(DEFAULT_PROJECT))],
        "pipeline.project.",
        &mut found,
    );
    if let Some(transform) = fields.get("transform") {
        check(transform, TRANSFORM, "transform.", &mut found);
        let secrets = transform.get("secrets").and_then(Value::as_array);
        for secret in secrets.into_iter().flatten() {
            check(secret, SECRET, "transform.secrets[].", &mut found);
        }
    }
    if let Some(input) = fields.get("input") {
        check_input(input, &mut found);
    }
    check_values(descriptor, &mut found);
    found
}

fn check(object: &Value, table: &[(&str, Support)], path: &str, found: &mut Vec<String>) {
    for (key, value) in object.as_object().into_iter().flatten() {
        let support = table.iter().find(|(name, _)| name == key);
        match support.map(|(_, support)| support) {
            Some(Honoured | NoEffect) => {}
            Some(Only(wanted)) if value == wanted || is_off(value) => {}
            Some(Only(wanted)) => {
                found.push(format!(
                    "{path}{key} can only be {wanted:?} locally, not {value}"
                ));
            }
            Some(Refused(_)) if is_off(value) => {}
            Some(Refused(reason)) => found.push(format!("{path}{key} {reason}")),
            None => found.push(format!("{path}{key} {NOT_YET}")),
        }
    }
}

/// A field with protobuf's default value is the same as one that is not there.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Bool(on) => !on,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn check_input(input: &Value, found: &mut Vec<String>) {
    for (kind, value) in input.as_object().into_iter().flatten() {
        match kind.as_str() {
            "pfs" => check(value, PFS, "input.pfs.", found),
            "union" | "cross" | "join" | "group" => {
                let inputs = value.as_array().into_iter().flatten();
                inputs.for_each(|input| check_input(input, found));
            }
            kind => found.push(format!(
                "input.{kind} {NOT_YET}; pfs, union, cross, join and group are"
            )),
        }
    }
}

/// What one field does not say of an input: lists, keys, globs.
fn check_combination(input: &Input, found: &mut Vec<String>) {
    let (kind, inputs) = match input {
        Input::Pfs(leaf) => {
            if let Err(error) = Glob::new(&leaf.glob) {
                found.push(format!("input.pfs.glob: {error:#}"));
            }
            if leaf.lazy && leaf.empty_files {
                found.push("input.pfs: lazy and empty_files exclude each other".to_owned());
            }
            return;
        }
        Input::Cron {} => return,
        Input::Union(inputs) => ("union", inputs),
        Input::Cross(inputs) => ("cross", inputs),
        Input::Join(inputs) => ("join", inputs),
        Input::Group(inputs) => ("group", inputs),
    };
    if inputs.is_empty() {
        found.push(format!("input.{kind} is empty"));
    }
    for leaf in inputs.iter().flat_map(Input::leaves) {
        let key = match kind {
            "join" => ("join_on", &leaf.join_on),
            "group" => ("group_by", &leaf.group_by),
            _ => continue,
        };
        if key.1.as_deref().unwrap_or_default().is_empty() {
            let (name, key) = (leaf.name(), key.0);
            found.push(format!("input.{kind}: the input {name:?} needs {key:?}"));
        }
    }
    inputs
        .iter()
        .for_each(|input| check_combination(input, found));
}

fn check_values(descriptor: &Descriptor, found: &mut Vec<String>) {
    check_combination(&descriptor.spec.input, found);
    for secret in &descriptor.spec.transform.secrets {
        let variable = secret.env_var.is_some() && secret.key.is_some();
        if !variable && secret.mount_path.is_none() {
            found.push(format!(
                "the secret {:?} needs \"mount_path\", or both \"env_var\" and \"key\"",
                secret.name
            ));
        }
    }
    match descriptor.spec.reprocess_spec.as_deref() {
        None | Some("" | "until_success" | "every_job") => {}
        Some(other) => found.push(format!("reprocess_spec {other:?} is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor;
    use serde_json::json;

    fn refused(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut value = json!({
            "pipeline": {"name": "m"},
            "input": {"pfs": {"repo": "d", "glob": "/"}},
            "transform": {"image": "train", "cmd": ["/train"]},
            "autoscaling": true, "parallelism_spec": {"constant": 4},
            "resource_requests": {"cpu": 1}, "s3_out": false
        });
        change(&mut value);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), value.to_string()).unwrap();
        let read = descriptor::read_folder(folder.path()).unwrap();
        refusals(&read[0])
    }

    #[test]
    fn what_is_honoured_or_harmless_passes() {
        assert!(refused(|_| {}).is_empty());
    }

    #[test]
    fn what_would_be_ignored_is_refused_by_name() {
        let found = refused(|value| {
            value["spout"] = json!({});
            value["outputBranch"] = json!("other");
            value["s3_out"] = json!(true);
            value["pipeline"]["project"] = json!({"name": "p"});
            value["input"]["pfs"]["s3"] = json!(true);
            value["input"]["pfs"]["glob"] = json!("/{a");
        });
        for name in [
            "spout",
            "output_branch",
            "s3_out",
            "pipeline.project.name",
            "input.pfs.s3",
            "input.pfs.glob: the glob \"/{a\" cannot be used",
        ] {
            assert!(
                found.iter().any(|text| text.starts_with(name)),
                "{name}: {found:?}"
            );
        }
        let found = refused(|value| value["input"] = json!({"cron": {"spec": "@daily"}}));
        assert_eq!(
            found,
            ["input.cron is not run locally; pfs, union, cross, join and group are"]
        );
    }

    #[test]
    fn inputs_that_say_too_little_are_refused() {
        let leaf = |more: &str| format!(r#"{{"pfs": {{"repo": "d", "glob": "/(*)"{more}}}}}"#);
        for (kind, more, expected) in [
            ("join", "", "needs \"join_on\""),
            ("group", "", "needs \"group_by\""),
            (
                "cross",
                r#", "lazy": true, "empty_files": true"#,
                "exclude each other",
            ),
        ] {
            let text = format!(r#"{{"{kind}": [{}]}}"#, leaf(more));
            let input: Value = serde_json::from_str(&text).unwrap();
            let found = refused(|value| value["input"] = input);
            assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
        }
        let found = refused(|value| value["input"] = json!({"union": []}));
        assert_eq!(found, ["input.union is empty"]);
    }

    #[test]
    fn every_known_field_has_an_answer() {
        for (name, _) in REQUEST {
            assert_eq!(REQUEST.iter().filter(|(other, _)| other == name).count(), 1);
        }
    }
}
