//! What runs, what is skipped, and what a failure leaves.

use std::fs;
use std::process::Command;

use crate::case::{Case, root};

#[test]
fn from_data_to_a_prediction_and_nothing_twice() {
    let case = Case::new("once");
    let output = case.once(&[]);
    assert!(output.status.success(), "{}", crate::case::said(&output));
    let result = String::from_utf8(output.stdout).unwrap();
    assert_eq!(result, "many\n  many  0.7500\n  few   0.2500\n");

    let (data, model, rollout) = (case.head("data"), case.head("model"), case.head("rollout"));
    let ids: Vec<_> = [&data, &model, &rollout]
        .map(|c| c.as_ref().unwrap()["id"].clone())
        .into();
    assert!(
        ids.iter().all(|id| *id == ids[0]),
        "one event, one ID: {ids:?}"
    );
    let kept = fs::read_to_string(case.files("data").join("rows.csv")).unwrap();
    assert!(
        kept.starts_with("length,class"),
        "a program changed a commit: {kept}"
    );
    let environment = fs::read_to_string(case.files("model").join("environment")).unwrap();
    for name in [
        "PACH_JOB_ID",
        "PACH_DATUM_ID",
        "data",
        "data_COMMIT",
        "experiment_COMMIT",
        "PPS_PROJECT_NAME",
        "PPS_SPEC_COMMIT",
        "PATH",
    ] {
        assert!(
            environment.lines().any(|line| line == name),
            "{name}: {environment}"
        );
    }
    assert!(
        !environment.contains("A_SECRET_OF_THE_DEVELOPER"),
        "{environment}"
    );
    assert_eq!((case.noted("job"), case.noted("serve")), (0, 0));

    let said = case.succeeds(&[]);
    let skipped = format!(
        "model: data and configuration unchanged since job {}",
        ids[0].as_str().unwrap()
    );
    assert!(said.contains(&skipped), "{said}");
    assert_eq!(case.head("rollout"), rollout);
    assert_eq!(case.jobs("model").len(), 1);

    case.rows(4);
    case.succeeds(&[]);
    let newer = case.head("model").unwrap();
    assert_eq!(newer["parent"], ids[0]);
    assert_ne!(newer["id"], ids[0]);
    assert_eq!(
        fs::read_to_string(case.files("model").join("model/rows")).unwrap(),
        "5"
    );
    assert_eq!(
        case.head("experiment").unwrap()["id"],
        ids[0],
        "the experiment did not change"
    );
}

#[test]
fn a_changed_descriptor_is_told_and_reprocess_runs_again() {
    let case = Case::new("reprocess");
    case.succeeds(&[]);
    let first = case.head("model").unwrap();
    let path = "training-pipeline.json";
    let changed = r#"{"pipeline": {"name": "model"}, "datum_tries": 1,
      "input": {"cross": [
        {"pfs": {"name": "data", "repo": "data", "glob": "/"}},
        {"pfs": {"name": "experiment", "repo": "experiment", "glob": "/"}}]},
      "transform": {"image": "train", "cmd": ["/train", "--faster"]}}"#;
    case.write(path, changed);
    let said = case.succeeds(&[]);
    assert!(said.contains("--reprocess=model"), "{said}");
    let updated = case.head("model").unwrap();
    assert_ne!(updated["id"], first["id"], "an update makes a job");
    assert_eq!(updated["files"], first["files"], "which skips every datum");
    assert_eq!(updated["job"]["datums"][0]["job"], first["id"]);
    case.succeeds(&["--reprocess=model"]);
    let second = case.head("model").unwrap();
    assert_eq!(second["job"]["datums"][0]["job"], second["id"]);
    assert_eq!(case.jobs("rollout").len(), 3, "each commit starts a job");
    let said = case.fails(&["--reprocess=nothing"]);
    assert!(said.contains("the pipelines are model, rollout"), "{said}");
}

#[test]
fn a_failed_job_leaves_no_output_and_nothing_runs_on_it() {
    let case = Case::new("failing");
    case.mode("fail");
    let said = case.fails(&[]);
    for part in [
        "model failed",
        "the target column is missing",
        "whole log: .local/failing/jobs/model/",
        "rollout cannot run",
    ] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    assert!(case.head("model").is_none() && case.head("rollout").is_none());
    assert_eq!(case.jobs("rollout")[0]["state"], "JOB_UNRUNNABLE");
    assert_eq!(case.jobs("model")[0]["state"], "JOB_FAILURE");

    case.fails(&[]);
    assert_eq!(
        case.jobs("model").len(),
        2,
        "a failed datum is tried by the next run"
    );
    case.mode("ok");
    case.succeeds(&[]);
    let good = case.head("model").unwrap();
    case.mode("fail");
    case.fails(&[]);
    assert_eq!(
        case.head("model").unwrap(),
        good,
        "the last good version stays"
    );
}

#[test]
fn what_cannot_be_run_is_refused_before_anything_runs() {
    let case = Case::new("refused");
    let descriptor = |change: &str| {
        format!(
            r#"{{"pipeline": {{"name": "other"}}, {change}
            "input": {{"pfs": {{"name": "data", "repo": "data", "glob": "/"}}}},
            "transform": {{"image": "x/other:1", "cmd": ["/bin/sh"]}}}}"#
        )
    };
    for (change, words) in [
        (r#""spout": {},"#, "spout needs a cluster"),
        (r#""service": {"internal_port": 80},"#, "service"),
        (r#""s3_out": true,"#, "s3_out"),
        (r#""datumTriez": 1,"#, "did you mean \"datum_tries\"?"),
        ("", "--docker"),
    ] {
        case.write("other.json", &descriptor(change));
        let said = case.fails(&[]);
        assert!(
            said.contains(words) && said.contains("other.json"),
            "{said}"
        );
        assert!(case.jobs("model").is_empty());
    }
}

#[test]
fn the_data_may_lie_in_an_archive() {
    let case = Case::new("archived");
    case.succeeds(&[]);
    let first = case.head("data").unwrap();
    let archive = case.state().join("../../archived.tar.gz");
    let archive = archive.to_str().unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-czf", archive, "-C"]).arg(case.files("data"));
    let status = tar.arg("rows.csv").status().unwrap();
    assert!(status.success());
    case.succeeds(&["--data", archive]);
    assert_eq!(case.head("data").unwrap(), first, "the same files");
    fs::write(archive, "no archive").unwrap();
    let said = case.fails(&["--data", archive]);
    assert!(said.contains("archived.tar.gz"), "{said}");
    assert_eq!(case.head("data").unwrap(), first, "nothing is committed");
}

#[test]
fn a_glob_makes_datums_and_only_new_ones_run() {
    let case = Case::new("datums");
    let split = r#"{"pipeline": {"name": "split"}, "datum_tries": 1,
      "input": {"cross": [
        {"pfs": {"name": "data", "repo": "data", "glob": "/"}},
        {"pfs": {"name": "parts", "repo": "parts", "glob": "/*"}},
        {"pfs": {"name": "experiment", "repo": "experiment", "glob": "/"}}]},
      "transform": {"image": "train", "cmd": ["/train"]}}"#;
    case.write("split.json", split);
    let parts = case.state().join("../../pipelines/datums/parts");
    fs::create_dir_all(parts.join("a")).unwrap();
    fs::write(parts.join("a/x"), "1").unwrap();
    case.succeeds(&[]);
    fs::write(parts.join("b"), "2").unwrap();
    let said = case.fails(&[]);
    assert!(
        said.contains("both write"),
        "two datums wrote the same file: {said}"
    );
    fs::remove_file(parts.join("b")).unwrap();
    fs::rename(parts.join("a"), parts.join("c")).unwrap();
    case.succeeds(&[]);
    let datums = case.head("split").unwrap()["job"]["datums"].clone();
    assert_eq!(
        datums.as_array().unwrap().len(),
        1,
        "a vanished datum goes: {datums}"
    );
}

/// The descriptor of the pipeline `model` with more fields.
pub(crate) fn training(more: &str, transform: &str) -> String {
    format!(
        r#"{{"pipeline": {{"name": "model"}}, "input": {{"cross": [
          {{"pfs": {{"name": "data", "repo": "data", "glob": "/"}}}},
          {{"pfs": {{"name": "experiment", "repo": "experiment", "glob": "/"}}}}]}}, {more}
          "transform": {{"image": "train", "cmd": ["/train"] {transform}}}}}"#
    )
}

#[test]
fn time_limits_tries_and_accepted_codes() {
    let case = Case::new("limits");
    let file = "training-pipeline.json";
    case.mode("hang");
    case.write(
        file,
        &training(r#""datum_timeout": "0.3s", "datum_tries": 2,"#, ""),
    );
    let said = case.fails(&[]);
    assert!(said.contains("its time was up"), "{said}");
    let job = case.jobs("model").remove(0);
    assert_eq!(job["state"], "JOB_FAILURE");
    let log = case
        .state()
        .join("jobs/model")
        .join(job["id"].as_str().unwrap());
    let log = fs::read_to_string(log.join("log")).unwrap();
    assert_eq!(log.matches("training in mode hang").count(), 2);

    case.write(file, &training(r#""jobTimeout": "0.3s","#, ""));
    case.fails(&[]);
    let states: Vec<_> = case
        .jobs("model")
        .into_iter()
        .map(|job| job["state"].clone())
        .collect();
    assert!(states.contains(&"JOB_KILLED".into()), "{states:?}");

    case.mode("fail");
    case.write(file, &training("", r#", "accept_return_code": [3]"#));
    let said = case.fails(&[]);
    assert!(
        said.contains("Finished model"),
        "exit status 3 is a success: {said}"
    );
    assert!(
        said.contains("rollout failed"),
        "and the next program finds no model: {said}"
    );
}

#[test]
fn a_secret_reaches_the_program_and_nothing_else() {
    let case = Case::new("secretive");
    let secret =
        r#", "secrets": [{"name": "stand-in-secret", "key": "k", "env_var": "THE_SECRET"}]"#;
    case.write("training-pipeline.json", &training("", secret));
    let folder = root().join(".local/secrets");
    let _ = fs::remove_file(folder.join("stand-in-secret.yaml"));
    let said = case.fails(&[]);
    assert!(
        said.contains("stand-in-secret") && said.contains("write it to"),
        "{said}"
    );
    assert!(case.head("data").is_none(), "nothing has run");

    fs::create_dir_all(&folder).unwrap();
    let text = "kind: Secret\nstringData: {k: very-confidential}\n";
    fs::write(folder.join("stand-in-secret.yaml"), text).unwrap();
    let said = case.succeeds(&[]);
    let environment = fs::read_to_string(case.files("model").join("environment")).unwrap();
    assert!(environment.lines().any(|line| line == "THE_SECRET"));
    assert!(!said.contains("very-confidential"));
    let job = case.jobs("model").remove(0);
    let log = case
        .state()
        .join("jobs/model")
        .join(job["id"].as_str().unwrap());
    let log = fs::read_to_string(log.join("log")).unwrap();
    assert!(log.contains("the secret is ***"), "{log}");
    for entry in walkdir::WalkDir::new(case.state()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let text = fs::read_to_string(entry.path()).unwrap();
            assert!(
                !text.contains("very-confidential"),
                "{}",
                entry.path().display()
            );
        }
    }
}
