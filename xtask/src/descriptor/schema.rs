//! Every field of a pipeline descriptor, as Pachyderm 2.12 knows it.
//!
//! The messages and fields are those of `pps_v2.CreatePipelineRequest` without
//! the ones that must not stand in a file. Names are in `snake_case`.

/// A message: an object with known fields.
pub(super) struct Message {
    pub(super) fields: &'static [(&'static str, Kind)],
    /// The object must have exactly one field.
    pub(super) one_of: bool,
}

/// What a field may hold.
pub(super) enum Kind {
    Text,
    Flag,
    /// A 64-bit integer, as a number or a string.
    Integer,
    /// A floating-point number, as a number or a string.
    Number,
    /// Seconds with the unit, `"1800s"`.
    Duration,
    Texts,
    Integers,
    /// Texts by free keys, which are not field names.
    TextMap,
    /// One of some names.
    Name(&'static [&'static str]),
    Object(&'static Message),
    Objects(&'static Message),
}

use Kind::{
    Duration, Flag, Integer, Integers, Name, Number, Object, Objects, Text, TextMap, Texts,
};

const fn message(fields: &'static [(&'static str, Kind)]) -> Message {
    Message {
        fields,
        one_of: false,
    }
}

/// Fields that the request knows but that have no place in a file: pachctl would
/// take them for its own flags, or pachd fills them in.
pub(super) const NEVER_IN_A_FILE: [&str; 5] =
    ["update", "reprocess", "dry_run", "spec_commit", "salt"];

pub(super) static REQUEST: Message = message(&[
    ("pipeline", Object(&PIPELINE)),
    ("description", Text),
    ("input", Object(&INPUT)),
    ("transform", Object(&TRANSFORM)),
    ("parallelism_spec", Object(&PARALLELISM)),
    ("egress", Object(&EGRESS)),
    ("output_branch", Text),
    ("s3_out", Flag),
    ("resource_requests", Object(&RESOURCES)),
    ("resource_limits", Object(&RESOURCES)),
    ("sidecar_resource_requests", Object(&RESOURCES)),
    ("sidecar_resource_limits", Object(&RESOURCES)),
    ("service", Object(&SERVICE)),
    ("spout", Object(&SPOUT)),
    ("tf_job", Object(&TF_JOB)),
    ("datum_set_spec", Object(&DATUM_SET)),
    ("datum_timeout", Duration),
    ("job_timeout", Duration),
    ("datum_tries", Integer),
    ("scheduling_spec", Object(&SCHEDULING)),
    ("pod_spec", Text),
    ("pod_patch", Text),
    ("metadata", Object(&METADATA)),
    ("reprocess_spec", Text),
    ("autoscaling", Flag),
    ("maximum_expected_uptime", Duration),
    ("tolerations", Objects(&TOLERATION)),
    ("determined", Object(&DETERMINED)),
]);

static PIPELINE: Message = message(&[("project", Object(&PROJECT)), ("name", Text)]);

static PROJECT: Message = message(&[("name", Text)]);

static INPUT: Message = Message {
    fields: &[
        ("pfs", Object(&PFS)),
        ("cron", Object(&CRON)),
        ("union", Objects(&INPUT)),
        ("cross", Objects(&INPUT)),
        ("join", Objects(&INPUT)),
        ("group", Objects(&INPUT)),
    ],
    one_of: true,
};

static PFS: Message = message(&[
    ("project", Text),
    ("name", Text),
    ("repo", Text),
    ("repo_type", Text),
    ("branch", Text),
    ("commit", Text),
    ("glob", Text),
    ("join_on", Text),
    ("outer_join", Flag),
    ("group_by", Text),
    ("lazy", Flag),
    ("empty_files", Flag),
    ("s3", Flag),
    ("trigger", Object(&TRIGGER)),
    ("propagation_spec", Object(&PROPAGATION)),
    ("reference", Flag),
]);

static TRIGGER: Message = message(&[
    ("branch", Text),
    ("all", Flag),
    ("rate_limit_spec", Text),
    ("size", Text),
    ("commits", Integer),
    ("cron_spec", Text),
]);

static PROPAGATION: Message = message(&[("never", Flag)]);

static CRON: Message = message(&[
    ("name", Text),
    ("project", Text),
    ("repo", Text),
    ("commit", Text),
    ("spec", Text),
    ("overwrite", Flag),
    ("start", Text),
]);

static TRANSFORM: Message = message(&[
    ("image", Text),
    ("cmd", Texts),
    ("err_cmd", Texts),
    ("env", TextMap),
    ("secrets", Objects(&SECRET)),
    ("image_pull_secrets", Texts),
    ("stdin", Texts),
    ("err_stdin", Texts),
    ("accept_return_code", Integers),
    ("debug", Flag),
    ("user", Text),
    ("working_dir", Text),
    ("dockerfile", Text),
    ("memory_volume", Flag),
    ("datum_batching", Flag),
]);

static SECRET: Message = message(&[
    ("name", Text),
    ("key", Text),
    ("mount_path", Text),
    ("env_var", Text),
]);

static PARALLELISM: Message = message(&[("constant", Integer)]);

static RESOURCES: Message = message(&[
    ("cpu", Number),
    ("memory", Text),
    ("gpu", Object(&GPU)),
    ("disk", Text),
]);

static GPU: Message = message(&[("type", Text), ("number", Integer)]);

static EGRESS: Message = message(&[
    ("URL", Text),
    ("object_storage", Object(&OBJECT_STORAGE)),
    ("sql_database", Object(&SQL_DATABASE)),
]);

static OBJECT_STORAGE: Message = message(&[("url", Text)]);

static SQL_DATABASE: Message = message(&[
    ("url", Text),
    ("file_format", Object(&FILE_FORMAT)),
    ("secret", Object(&SQL_SECRET)),
]);

static FILE_FORMAT: Message = message(&[
    ("type", Name(&["UNKNOWN", "CSV", "JSON", "PARQUET"])),
    ("columns", Texts),
]);

static SQL_SECRET: Message = message(&[("name", Text), ("key", Text)]);

static SERVICE: Message = message(&[
    ("internal_port", Integer),
    ("external_port", Integer),
    ("ip", Text),
    ("type", Text),
]);

static SPOUT: Message = message(&[("service", Object(&SERVICE))]);

static TF_JOB: Message = message(&[("tf_job", Text)]);

static DATUM_SET: Message = message(&[
    ("number", Integer),
    ("size_bytes", Integer),
    ("per_worker", Integer),
]);

static SCHEDULING: Message = message(&[("node_selector", TextMap), ("priority_class_name", Text)]);

static METADATA: Message = message(&[("annotations", TextMap), ("labels", TextMap)]);

static TOLERATION: Message = message(&[
    ("key", Text),
    ("operator", Name(&["EMPTY", "EXISTS", "EQUAL"])),
    ("value", Text),
    (
        "effect",
        Name(&[
            "ALL_EFFECTS",
            "NO_SCHEDULE",
            "PREFER_NO_SCHEDULE",
            "NO_EXECUTE",
        ]),
    ),
    ("toleration_seconds", Integer),
]);

static DETERMINED: Message = message(&[("workspaces", Texts)]);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::strict::camel;
    use super::*;

    /// Compares a message with the definition of that name, and what it holds.
    fn compare(schema: &Value, name: &str, message: &Message, seen: &mut BTreeSet<String>) {
        if !seen.insert(name.to_owned()) {
            return;
        }
        let definition = &schema["definitions"][name]["properties"];
        let official: BTreeSet<String> = definition.as_object().unwrap().keys().cloned().collect();
        let ours = message.fields.iter().map(|(field, _)| camel(field));
        let mut ours: BTreeSet<String> = ours.collect();
        if name == "CreatePipelineRequest" {
            // The others that must not stand in a file are no part of the schema.
            assert!(NEVER_IN_A_FILE.contains(&"salt"));
            ours.insert("salt".to_owned());
        }
        assert_eq!(ours, official, "{name}");
        for (field, kind) in message.fields {
            let property = &definition[camel(field)];
            let (message, reference) = match kind {
                Object(message) => (message, &property["$ref"]),
                Objects(message) => (message, &property["items"]["$ref"]),
                _ => continue,
            };
            let reference = reference
                .as_str()
                .unwrap_or_else(|| panic!("{name}.{field}"));
            compare(
                schema,
                reference.trim_start_matches("#/definitions/"),
                message,
                seen,
            );
        }
    }

    #[test]
    #[ignore = "needs ../shared, named by SHARED_DIR"]
    fn the_fields_are_those_of_the_official_schema() {
        let shared = std::env::var("SHARED_DIR").expect("SHARED_DIR names the shared folder");
        let file = format!("{shared}/schemas/pachyderm/CreatePipelineRequest.schema.json");
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let mut seen = BTreeSet::new();
        compare(&schema, "CreatePipelineRequest", &REQUEST, &mut seen);
        assert!(seen.len() > 20, "{seen:?}");
    }
}
