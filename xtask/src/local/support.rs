//! What of a descriptor this runner honours; everything else is refused by name
//! before anything runs.

use serde_json::Value;

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
    // One worker, whatever is asked for: the results are the same.
    ("parallelism_spec", NoEffect),
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
    ("err_cmd", Refused(NOT_YET)),
    ("err_stdin", Refused(NOT_YET)),
    ("user", Refused(NOT_YET)),
    ("datum_batching", Refused(NOT_YET)),
];

const SECRET: &[(&str, Support)] = &[
    ("name", Honoured),
    ("key", Honoured),
    ("env_var", Honoured),
    ("mount_path", Refused(NOT_YET)),
];

const PFS: &[(&str, Support)] = &[
    ("name", Honoured),
    ("repo", Honoured),
    ("glob", Honoured),
    ("project", Only(DEFAULT_PROJECT)),
    ("repo_type", Only("user")),
    ("branch", Only(DEFAULT_BRANCH)),
    ("commit", Refused("must not be set")),
    ("join_on", Refused(NOT_YET)),
    ("outer_join", Refused(NOT_YET)),
    ("group_by", Refused(NOT_YET)),
    ("lazy", Refused(NOT_YET)),
    ("empty_files", Refused(NOT_YET)),
    ("s3", Refused(OBJECT_STORE)),
    ("trigger", Refused(NOT_YET)),
    ("propagation_spec", Refused(NOT_YET)),
    ("reference", Refused(NOT_YET)),
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
            "cross" => {
                let inputs = value.as_array().into_iter().flatten();
                inputs.for_each(|input| check_input(input, found));
            }
            kind => found.push(format!("input.{kind} {NOT_YET}; pfs and cross are")),
        }
    }
}

fn check_values(descriptor: &Descriptor, found: &mut Vec<String>) {
    if let Input::Cross(inputs) = &descriptor.spec.input
        && inputs.is_empty()
    {
        found.push("input.cross is empty".to_owned());
    }
    for input in descriptor.spec.input.leaves() {
        if !matches!(input.glob.trim_start_matches('/'), "" | "*") {
            found.push(format!(
                "input.pfs.glob {:?} {NOT_YET}; \"/\" and \"/*\" are",
                input.glob
            ));
        }
    }
    for secret in &descriptor.spec.transform.secrets {
        if secret.env_var.is_none() || secret.key.is_none() {
            found.push(format!(
                "the secret {:?} needs both \"env_var\" and \"key\"",
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
            value["transform"]["errCmd"] = json!(["/train"]);
            value["pipeline"]["project"] = json!({"name": "p"});
            value["input"]["pfs"]["emptyFiles"] = json!(true);
            value["input"]["pfs"]["glob"] = json!("/**");
        });
        for name in [
            "spout",
            "output_branch",
            "transform.err_cmd",
            "pipeline.project.name",
            "input.pfs.empty_files",
            "input.pfs.glob \"/**\"",
        ] {
            assert!(
                found.iter().any(|text| text.starts_with(name)),
                "{name}: {found:?}"
            );
        }
        let found = refused(|value| value["input"] = json!({"cron": {"spec": "@daily"}}));
        assert_eq!(found, ["input.cron is not run locally; pfs and cross are"]);
    }

    #[test]
    fn every_known_field_has_an_answer() {
        for (name, _) in REQUEST {
            assert_eq!(REQUEST.iter().filter(|(other, _)| other == name).count(), 1);
        }
    }
}
