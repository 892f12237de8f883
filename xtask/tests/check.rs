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
        let source = root.path().join("crates").join(name).join("src");
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("main.rs"), PROGRAM).unwrap();
    }
    let training = "pipelines/iris/training-pipeline.json";
    edit(
        root.path(),
        training,
        "  \"transform\"",
        "  \"datum_tries\": 1,\n  \"transform\"",
    );
    root
}

/// Takes `--model`, and looks at all before `--help`, as clap does.
const PROGRAM: &str = r#"fn main() {
    let flags = std::env::args().skip(1).filter(|word| word.starts_with("--"));
    if let Some(flag) = flags.into_iter().find(|flag| flag != "--model" && flag != "--help") {
        eprintln!("error: unexpected argument '{flag}' found\n\nUsage: program [OPTIONS]");
        std::process::exit(2);
    }
}
"#;

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
        "pipelines/iris/training-pipeline.json:6: transform.image: gcr.io/PROJECT/train:0.0.1 should be in localhost:5000/acme; cargo xtask bump train 0.0.1 --move-from gcr.io/PROJECT",
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

/// What `check` finds when the training pipeline is changed like this.
fn found(from: &str, to: &str) -> String {
    let root = workspace();
    edit(
        root.path(),
        "pipelines/iris/training-pipeline.json",
        from,
        to,
    );
    let output = xtask(root.path(), &["check"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let place = "pipelines/iris/training-pipeline.json:";
    text.trim_end().strip_prefix(place).unwrap().to_owned()
}

#[test]
fn each_kind_of_wrong_descriptor_is_told_with_what_to_write() {
    let image = "\"image\": \"localhost:5000/acme/train:0.0.1\"";
    let cases = [
        (
            "\"transform\": {",
            "\"transform\": {\n    \"imagee\": \"x\",",
            "6: transform.imagee: is not a field; did you mean \"image\"?",
        ),
        (
            "\"datum_tries\": 1",
            "\"datum_tries\": 1, \"reprocess\": true",
            "4: reprocess: must not stand in a file",
        ),
        (
            "\"datum_tries\": 1",
            "\"datum_tries\": 2",
            "4: datum_tries: is 2: what fails is trained 2 times; write \"datum_tries\": 1",
        ),
        (
            "  \"datum_tries\": 1,\n",
            "",
            "1: datum_tries: is not set, and then it is 3: what fails is trained three times; \
             write \"datum_tries\": 1",
        ),
        (
            "\"/train\", ",
            "\"/bin/sh\", ",
            "7: transform.cmd[0]: \"/bin/sh\" cannot be run: the image holds no shell; write \
             \"/train\", and each argument as a string of its own",
        ),
        (
            "\"/train\", ",
            "\"train\", ",
            "7: transform.cmd[0]: \"train\" cannot be run: it is no absolute path, and the image \
             has no PATH and no other folder; write \"/train\", and each argument as a string of \
             its own",
        ),
        (
            "\"--model\"",
            "\"--modle\"",
            "7: transform.cmd[1]: train refuses its arguments: unexpected argument '--modle' found; \
             see what it takes: cargo run --package train -- --help",
        ),
        (
            image,
            "\"image\": \"localhost:5000/acme/train:0.0.1\", \"secrets\": \
             [{\"name\": \"s3\", \"key\": \"a\", \"env_var\": \"A\"}]",
            "6: transform.secrets[0].name: \"s3\" is a secret without a template; write \
             pipelines/secrets/s3.yaml, as pipelines/secrets/README.md shows",
        ),
        (
            "{ \"name\": \"data\", \"repo\": \"iris-data\"",
            "{ \"name\": \"settings\", \"repo\": \"iris-settings\"",
            "3: input.pfs.repo: \"iris-settings\" is a repo that no pipeline makes; write the name \
             of a pipeline, or put a sample into pipelines/iris/settings/",
        ),
        (
            "\"iris-model\"",
            "\"iris-model-of-a-team-that-likes-its-names-rather-lengthy\"",
            "2: pipeline.name: \"iris-model-of-a-team-that-likes-its-names-rather-lengthy\" must be \
             1 to 51 of A-Z, a-z, 0-9, '_', '-' and start with a letter or digit",
        ),
        (
            "{ \"name\": \"data\"",
            "{ \"name\": \"out\"",
            "3: input.pfs.name: \"out\" cannot be used as a folder below /pfs",
        ),
    ];
    for (from, to, wanted) in cases {
        assert_eq!(found(from, to), wanted, "{to}");
    }
}

#[test]
fn a_misspelt_pipeline_and_one_that_is_there_twice_are_told() {
    let root = workspace();
    let deployment = "pipelines/iris/deployment-pipeline.json";
    edit(root.path(), deployment, "\"iris-model\"", "\"iris-modle\"");
    let training = "pipelines/iris/training-pipeline.json";
    let text = fs::read_to_string(root.path().join(training)).unwrap();
    fs::create_dir(root.path().join("pipelines/other")).unwrap();
    fs::write(root.path().join("pipelines/other/a-pipeline.json"), text).unwrap();
    let output = xtask(root.path(), &["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    for wanted in [
        "pipelines/iris/deployment-pipeline.json:3: input.pfs.repo: \"iris-modle\" is a repo that \
         no pipeline makes; write \"iris-model\"",
        "pipelines/other/a-pipeline.json:2: pipeline.name: \"iris-model\" is made by \
         pipelines/iris/training-pipeline.json too; give each pipeline a name of its own",
    ] {
        assert!(lines.contains(&wanted), "{text}");
    }
}
