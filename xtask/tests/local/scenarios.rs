//! What a use case comes to. A scenario is a folder of `tests/local/scenarios`:
//! `before` is its folder of `pipelines/`, `commands` a shell script that is run
//! there, in which `run` runs the use case and `fails` expects it to fail; `after`
//! holds the files of each repo's head, and in `jobs` what became of all jobs. With
//! `UPDATE_EXPECTED=1` the test writes `after` anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::case::{json, root, said};

const FUNCTIONS: &str = r#"
set -eu
run() { "$XTASK" local "$CASE" --once "$@"; }
fails() { if run "$@"; then echo "it did not fail"; exit 9; fi; }
"#;

type Tree = BTreeMap<PathBuf, String>;

fn tree(root: &Path) -> Tree {
    let files = walkdir::WalkDir::new(root)
        .into_iter()
        .filter_map(Result::ok);
    let files = files.filter(|entry| entry.file_type().is_file());
    let file = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(root).unwrap().to_owned();
        (path, fs::read_to_string(entry.path()).unwrap())
    };
    files.map(file).collect()
}

fn lay(tree: &Tree, root: &Path) {
    for (path, text) in tree {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn play(scenario: &Path) -> Tree {
    let name = scenario.file_name().unwrap().to_str().unwrap();
    let case = format!("scenario-{name}");
    let folder = root().join("pipelines").join(&case);
    let state = root().join(".local").join(&case);
    for old in [&folder, &state] {
        let _ = fs::remove_dir_all(old);
    }
    lay(&tree(&scenario.join("before")), &folder);
    let temporary = tempfile::tempdir().unwrap();
    let commands = fs::read_to_string(scenario.join("commands")).unwrap();
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("{FUNCTIONS}{commands}"));
    shell.current_dir(&folder).env("CASE", &case);
    shell.env("XTASK", env!("CARGO_BIN_EXE_xtask"));
    shell.env("TMPDIR", temporary.path());
    shell.env("CARGO_MANIFEST_DIR", root().join("xtask"));
    shell.env("CARGO_TARGET_DIR", root().join("target"));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{name}: {}", said(&output));
    after(&state)
}

/// The files of all heads, and a line for each job.
fn after(state: &Path) -> Tree {
    let mut after = Tree::new();
    for repo in fs::read_dir(state.join("repos")).unwrap() {
        let repo = repo.unwrap();
        let head = fs::read_to_string(repo.path().join("head")).unwrap();
        let files = repo.path().join("commits").join(head.trim()).join("files");
        for (path, text) in tree(&files) {
            after.insert(Path::new(&repo.file_name()).join(path), text);
        }
    }
    let jobs = walkdir::WalkDir::new(state.join("jobs")).into_iter();
    let jobs = jobs.filter_map(Result::ok);
    let mut jobs: Vec<Value> = jobs
        .filter(|entry| entry.file_name() == "job.json")
        .map(|entry| json(entry.path()))
        .collect();
    jobs.sort_by_key(|job| {
        (
            job["pipeline"].to_string(),
            job["state"].to_string(),
            line(job),
        )
    });
    let lines = jobs.iter().map(line).collect();
    after.insert("jobs".into(), lines);
    after
}

fn line(job: &Value) -> String {
    format!(
        "{} {} processed {} skipped {} failed {} of {}\n",
        job["pipeline"].as_str().unwrap(),
        job["state"].as_str().unwrap(),
        job["data_processed"],
        job["data_skipped"],
        job["data_failed"],
        job["data_total"]
    )
}

#[test]
fn scenarios_come_to_what_they_should() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local/scenarios");
    let mut wrong = Vec::new();
    for scenario in fs::read_dir(scenarios).unwrap() {
        let scenario = scenario.unwrap().path();
        let after = play(&scenario);
        let expected = scenario.join("after");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            let _ = fs::remove_dir_all(&expected);
            lay(&after, &expected);
        } else if tree(&expected) != after {
            wrong.push(format!("{}: {after:#?}", scenario.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
