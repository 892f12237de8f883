//! `cargo xtask check` and `bump --check` on a small workspace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use walkdir::WalkDir;

const NAMES: [&str; 2] = ["train", "serve"];

/// The base of the bump cases, with container files.
fn workspace() -> TempDir {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bump/base");
    let root = tempfile::tempdir().unwrap();
    for entry in WalkDir::new(&base).into_iter().map(Result::unwrap) {
        let to = root.path().join(entry.path().strip_prefix(&base).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    for name in NAMES {
        let folder = root.path().join("containers").join(name);
        fs::create_dir_all(&folder).unwrap();
        let text =
            format!("FROM scratch\nUSER 8888:0\nENTRYPOINT [\"/{name}\"]\nCOPY {name} /{name}\n");
        fs::write(folder.join("Dockerfile"), text).unwrap();
    }
    root
}

fn xtask(root: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .env("CARGO_MANIFEST_DIR", root.join("xtask"))
        .env_remove("XTASK_REGISTRY")
        .env_remove("XTASK_PROJECT")
        .args(words)
        .output()
        .unwrap()
}

fn edit(root: &Path, file: &str, from: &str, to: &str) {
    let path = root.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} holds no {from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn what_agrees_passes() {
    let root = workspace();
    for words in [&["check"][..], &["bump", "--check"]] {
        let output = xtask(root.path(), words);
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    assert!(
        xtask(root.path(), &["bump", "train", "serve", "minor"])
            .status
            .success()
    );
    assert!(xtask(root.path(), &["check"]).status.success());
}

#[test]
fn all_problems_are_found_with_their_place() {
    let root = workspace();
    let at = root.path();
    let training = "pipelines/iris/training-pipeline.json";
    let deployment = "pipelines/iris/deployment-pipeline.json";
    edit(
        at,
        training,
        "localhost:5000/acme/train",
        "gcr.io/PROJECT/train",
    );
    edit(at, deployment, "acme/serve:0.0.1", "acme/serve:0.0.3");
    edit(
        at,
        "Cargo.lock",
        "name = \"train\"\nversion = \"0.0.1\"",
        "name = \"train\"\nversion = \"0.0.2\"",
    );
    edit(
        at,
        "containers/serve/Dockerfile",
        "USER 8888:0",
        "USER root",
    );
    fs::create_dir(at.join("containers/other")).unwrap();
    fs::write(at.join("pipelines/broken-pipeline.json"), "{").unwrap();
    fs::write(at.join("pipelines/data.json"), "{}\n{}\n").unwrap();
    let output = xtask(at, &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let wanted = [
        "Cargo.lock:9: train is 0.0.2 here and 0.0.1 in its crate; run `cargo metadata`, which brings it up to date",
        "containers/other: other is not among `names` of [workspace.metadata.images] in Cargo.toml",
        "containers/serve/Dockerfile:2: USER root should be a number other than 0, as 8888:0",
        "pipelines/broken-pipeline.json: it is not JSON: Unterminated object on line 1 column 1",
        "pipelines/iris/deployment-pipeline.json:6: transform.cmd[4]: serve is 0.0.3 here and 0.0.1 in its crate; write 0.0.1, or run `cargo xtask bump serve`",
        "pipelines/iris/training-pipeline.json:5: transform.image: gcr.io/PROJECT/train:0.0.1 should be in localhost:5000/acme; cargo xtask bump train 0.0.1 --move-from gcr.io/PROJECT",
    ];
    assert_eq!(lines, wanted);
    let output = xtask(at, &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problems = document.get("problems").unwrap().as_array().unwrap();
    assert_eq!(problems.len(), wanted.len());
    for problem in problems {
        let keys: Vec<&str> = problem
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, ["file", "line", "path", "message", "help"]);
    }
}

#[test]
fn a_placeholder_is_told_with_the_ways_to_name_the_project() {
    let root = workspace();
    edit(
        root.path(),
        "Cargo.toml",
        "project = \"acme\"",
        "project = \"PROJECT\"",
    );
    let output = xtask(root.path(), &["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("XTASK_PROJECT"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}
