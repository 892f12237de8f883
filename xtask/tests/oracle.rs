//! Pachyderm's own Python client as the judge: it reads every descriptor of this
//! workspace, before and after a bump, and what the tests' pachctl prints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use walkdir::WalkDir;

#[path = "pipelines/fixture.rs"]
#[allow(dead_code, reason = "only what the stub prints is judged here")]
mod fixture;

use fixture::Fixture;

/// Parses strictly and prints every message with its fields as the client knows them.
const PARSE: &str = "
import json, sys
from google.protobuf import json_format
from python_pachyderm.proto.v2.pps import pps_pb2
kind = getattr(pps_pb2, sys.argv[1])
messages = []
for text in json.load(sys.stdin):
    message = json_format.Parse(text, kind())
    messages.append(json_format.MessageToDict(message, preserving_proto_field_name=True))
json.dump(messages, sys.stdout)
";

/// The messages of this kind that the client reads from `texts`.
fn parse(kind: &str, texts: &[String]) -> Vec<Value> {
    let python = std::env::var("PACHYDERM_PYTHON").expect("PACHYDERM_PYTHON names a Python");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("texts.json");
    fs::write(&file, json!(texts).to_string()).unwrap();
    let output = Command::new(python)
        .args(["-c", PARSE, kind])
        .env("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
        .stdin(fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A copy of what `bump` reads of this workspace.
fn copy() -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let to = tempfile::tempdir().unwrap();
    let copy = |path: &Path| {
        let target = to.path().join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    };
    for file in ["Cargo.toml", "Cargo.lock"] {
        copy(&from.join(file));
    }
    for name in ["train", "deploy", "serve"] {
        copy(&from.join("crates").join(name).join("Cargo.toml"));
    }
    for entry in WalkDir::new(from.join("pipelines"))
        .into_iter()
        .map(Result::unwrap)
    {
        if entry.file_type().is_file() {
            copy(entry.path());
        }
    }
    to
}

/// The text of each descriptor, in the order of their paths.
fn descriptors(root: &Path) -> Vec<String> {
    let files = WalkDir::new(root.join("pipelines")).sort_by_file_name();
    let files = files.into_iter().map(Result::unwrap);
    let json = files.filter(|entry| entry.path().extension().is_some_and(|end| end == "json"));
    json.map(|entry| fs::read_to_string(entry.path()).unwrap())
        .collect()
}

/// Path and both values of every leaf that is not the same.
fn differences(before: &Value, after: &Value, path: &str, found: &mut Vec<(String, Value, Value)>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                differences(&before[key], &after[key], &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differences(one, other, &format!("{path}[{index}]"), found);
            }
        }
        _ if before == after => {}
        _ => found.push((path.to_owned(), before.clone(), after.clone())),
    }
}

#[test]
#[ignore = "needs Python with python-pachyderm, named by PACHYDERM_PYTHON"]
fn a_bump_changes_the_planned_strings_and_nothing_else() {
    let root = copy();
    let before = parse("CreatePipelineRequest", &descriptors(root.path()));
    assert!(before.len() >= 6, "{before:?}");
    let status = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["bump", "train", "deploy", "serve", "major"])
        .env("CARGO_MANIFEST_DIR", root.path().join("xtask"))
        .status();
    assert!(status.unwrap().success());
    let after = parse("CreatePipelineRequest", &descriptors(root.path()));
    let mut found = Vec::new();
    differences(&json!(before), &json!(after), "", &mut found);
    // The image of each pipeline, and once more: what a training says of itself, and
    // serve's in the command of a deployment.
    assert_eq!(found.len(), 2 * before.len(), "{found:#?}");
    for (path, before, after) in found {
        assert!(
            [
                ".transform.image",
                ".transform.cmd[",
                ".transform.env.TRAIN_IMAGE",
            ]
            .iter()
            .any(|place| path.contains(place)),
            "{path}"
        );
        let (before, after) = (before.as_str().unwrap(), after.as_str().unwrap());
        let name = before.rsplit_once(':').unwrap().0;
        assert_eq!(after, format!("{name}:1.0.0"), "{path}: {before}");
    }
}

#[test]
#[ignore = "needs Python with python-pachyderm, named by PACHYDERM_PYTHON"]
fn the_client_reads_what_the_stub_prints() {
    let fixture = Fixture::new();
    fixture.succeed("apply iris");
    // The client is of a time before specifications were kept as they came.
    fixture.faults(&["old"]);
    let printed = |words: &str| {
        let output = fixture.pachctl(words);
        let objects = serde_json::Deserializer::from_slice(&output).into_iter::<Value>();
        let texts = objects.map(|object| object.unwrap().to_string());
        texts.collect::<Vec<String>>()
    };
    let infos = parse(
        "PipelineInfo",
        &printed("inspect pipeline iris-deploy --raw"),
    );
    assert_eq!(infos[0]["details"]["transform"]["cmd"][0], "/deploy");
    assert_eq!(
        parse("PipelineInfo", &printed("list pipeline --raw")).len(),
        2
    );
    let jobs = parse("JobInfo", &printed("list job -p iris-model --raw"));
    assert_eq!(jobs[0]["state"], "JOB_SUCCESS");
}
