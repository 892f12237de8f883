//! `cargo xtask pipelines` with a pachctl that stands in for a cluster.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[path = "pipelines/fixture.rs"]
mod fixture;

use fixture::{Fixture, each, holds};

#[test]
fn the_first_apply_creates_all_and_the_second_nothing() {
    let fixture = Fixture::new();
    let plan = fixture.json("plan iris");
    assert_eq!(each(&plan, "action"), ["create", "create"]);
    assert_eq!(plan["repos"][0]["name"], "iris-data");
    assert_eq!(fixture.sent(), Vec::<String>::new());
    let said = fixture.succeed("apply iris");
    assert!(said.contains("success (0 of 0 datums processed"), "{said}");
    let wanted = [
        "create repo iris-data",
        "create pipeline -f -",
        "create pipeline -f -",
    ];
    assert_eq!(fixture.sent(), wanted);
    let order = fixture.state()["pipelines"].clone();
    assert_eq!(order.as_object().unwrap().len(), 2);
    let again = fixture.json("apply");
    assert_eq!(each(&again, "action"), ["keep", "keep"]);
    assert_eq!(again["jobs"], json!([]));
    assert_eq!(fixture.sent(), Vec::<String>::new());
}

/// A cluster on which the first version of everything has run with data.
fn running() -> Fixture {
    let fixture = Fixture::new();
    fixture.succeed("apply iris");
    fixture.pachctl("put file iris-data@master:/iris.csv -f iris.csv");
    let done = fixture.json("wait iris");
    let jobs = done["jobs"].as_array().unwrap();
    assert!(
        jobs.iter().all(|job| job["data"]["processed"] == 1),
        "{done}"
    );
    fixture.sent();
    fixture
}

fn job<'a>(document: &'a Value, pipeline: &str) -> &'a Value {
    let jobs = document["jobs"].as_array().unwrap();
    jobs.iter().find(|job| job["pipeline"] == pipeline).unwrap()
}

#[test]
fn a_new_serving_image_is_deployed_and_nothing_is_trained() {
    let fixture = running();
    fixture.describe(&fixture.deploy("0.0.2"));
    let said = fixture.succeed("plan iris");
    assert!(said.contains("keep       iris-model"), "{said}");
    let wanted = "reprocess  iris-deploy (pipelines/iris/iris-deploy-pipeline.json): \
                  transform.cmd[2] is";
    assert!(said.contains(wanted), "{said}");
    let done = fixture.json("apply iris");
    assert_eq!(fixture.sent(), ["update pipeline --reprocess -f -"]);
    assert_eq!(done["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(job(&done, "iris-deploy")["data"]["processed"], 1);
}

#[test]
fn a_training_pipeline_is_processed_again_only_when_asked() {
    let fixture = running();
    let mut train = fixture.train();
    train["transform"]["cmd"] = json!(["/train", "--seed", "1"]);
    fixture.describe(&train);
    let said = fixture.succeed("plan iris");
    assert!(said.contains("update     iris-model"), "{said}");
    assert!(said.contains("--reprocess iris-model"), "{said}");
    let done = fixture.json("apply iris");
    assert_eq!(fixture.sent(), ["update pipeline -f -"]);
    assert_eq!(job(&done, "iris-model")["data"]["skipped"], 1);
    // Downstream pipelines get a job as well, and it is followed.
    assert_eq!(job(&done, "iris-deploy")["data"]["skipped"], 1);
    let done = fixture.json("apply iris --reprocess iris-model");
    assert_eq!(fixture.sent(), ["update pipeline --reprocess -f -"]);
    assert_eq!(job(&done, "iris-model")["data"]["processed"], 1);
    assert_eq!(job(&done, "iris-deploy")["data"]["processed"], 1);
    let said = fixture.fail("apply iris --reprocess other");
    assert!(said.contains("no chosen file describes"), "{said}");
}

#[test]
fn what_needs_no_reprocessing_gets_none() {
    let fixture = running();
    let mut deploy = fixture.deploy("0.0.1");
    deploy["autoscaling"] = json!(true);
    fixture.describe(&deploy);
    fixture.succeed("apply iris");
    assert_eq!(fixture.sent(), ["update pipeline -f -"]);
    // With this, pachd processes everything in each job.
    deploy["reprocess_spec"] = json!("every_job");
    deploy["transform"]["cmd"] = json!(["/deploy", "--replicas", "2"]);
    fixture.describe(&deploy);
    fixture.succeed("apply iris");
    assert_eq!(fixture.sent(), ["update pipeline -f -"]);
}

#[test]
fn a_pachd_that_keeps_no_specification_is_compared_by_what_it_made_of_it() {
    let fixture = running();
    fixture.faults(&["old"]);
    let plan = fixture.json("plan iris");
    assert_eq!(each(&plan, "action"), ["keep", "keep"], "{plan}");
    fixture.describe(&fixture.deploy("0.0.2"));
    let plan = fixture.json("plan iris");
    assert_eq!(each(&plan, "action"), ["keep", "reprocess"]);
    assert_eq!(
        each(&plan, "changes")[1].as_array().unwrap().len(),
        1,
        "{plan}"
    );
}

#[test]
fn an_image_that_nobody_published_stops_all() {
    let fixture = running();
    fixture.describe(&fixture.deploy("9.0.0"));
    let mut train = fixture.train();
    train["datum_tries"] = json!(1);
    fixture.describe(&train);
    for words in ["apply iris", "apply iris --dry-run"] {
        let said = fixture.fail(words);
        assert!(
            said.contains("serve:9.0.0 is not in the registry"),
            "{said}"
        );
        assert!(said.contains("nothing was sent"), "{said}");
    }
    assert_eq!(fixture.sent(), Vec::<String>::new());
    fixture.describe(&fixture.deploy("0.0.2"));
    fixture.succeed("apply iris --dry-run");
    assert_eq!(fixture.sent(), Vec::<String>::new());
}

#[test]
fn secrets_come_from_their_files_and_show_nowhere() {
    let fixture = Fixture::new();
    let mut train = fixture.train();
    train["transform"]["secrets"] = json!([{"name": "s3", "key": "token", "env_var": "TOKEN"}]);
    fixture.describe(&train);
    fixture.write(
        "pipelines/secrets/s3.yaml",
        "kind: Secret\nstringData: {token: ''}\n",
    );
    let said = fixture.fail("apply iris");
    assert!(
        said.contains("copy") && said.contains(".local/secrets/s3.yaml"),
        "{said}"
    );
    assert_eq!(fixture.sent(), Vec::<String>::new());
    let file = ".local/secrets/s3.yaml";
    fixture.write(file, "kind: Secret\nstringData: {token: hunter2}\n");
    let said = fixture.succeed("apply iris");
    assert!(
        !said.contains("hunter2") && !said.contains("aHVudGVyMg"),
        "{said}"
    );
    let sent = fixture.sent();
    assert_eq!(sent[1], "create secret -f /dev/stdin");
    // Base64, as Kubernetes keeps it.
    assert_eq!(fixture.state()["secrets"]["s3"]["token"], "aHVudGVyMg==");
    std::fs::remove_file(fixture.root().join(file)).unwrap();
    assert!(!holds(&fixture.root(), "hunter2"));
    let plan = fixture.json("plan iris");
    assert_eq!(plan["secrets"], json!([]));
}

#[test]
fn what_was_not_sent_is_sent_by_the_next_run() {
    let fixture = Fixture::new();
    fixture.faults(&["send iris-deploy"]);
    let said = fixture.fail("apply iris");
    assert!(said.contains("admission refused"), "{said}");
    assert!(
        said.contains("iris-deploy was not sent; 1 of 2 pipelines are"),
        "{said}"
    );
    fixture.sent();
    fixture.faults(&["cut iris-deploy"]);
    let said = fixture.fail("apply iris");
    assert!(said.contains("EOF"), "{said}");
    fixture.faults(&[]);
    // It had arrived.
    let plan = fixture.json("apply iris");
    assert_eq!(each(&plan, "action"), ["keep", "keep"]);
    assert_eq!(fixture.sent(), ["create pipeline -f -"]);
}

#[test]
fn a_failed_job_fails_although_pachctl_does_not() {
    let fixture = running();
    fixture.describe(&fixture.deploy("0.0.2"));
    fixture.faults(&["job iris-deploy"]);
    let said = fixture.fail("apply iris");
    assert!(said.contains("failure: datum 1f3b failed"), "{said}");
    assert!(said.contains("pachctl logs -j iris-deploy@"), "{said}");
    assert!(said.contains("the last line"), "{said}");
    fixture.faults(&["commit iris-deploy"]);
    let said = fixture.fail("apply iris --reprocess iris-deploy");
    assert!(said.contains("duplicate path"), "{said}");
    fixture.faults(&["job iris-model"]);
    let said = fixture.fail("apply iris --reprocess iris-model");
    assert!(said.contains("unrunnable"), "{said}");
    assert!(said.contains("2 jobs did not succeed"), "{said}");
    let said = fixture.fail("wait iris");
    assert!(said.contains("2 jobs did not succeed"), "{said}");
}

#[test]
fn a_pipeline_that_cannot_run_ends_the_waiting() {
    let fixture = running();
    fixture.describe(&fixture.deploy("0.0.2"));
    fixture.faults(&["crash iris-deploy"]);
    let start = Instant::now();
    let said = fixture.fail("apply iris");
    assert!(said.contains("failed to pull the image"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(20));
    let said = fixture.succeed("status iris");
    assert!(
        said.contains("iris-deploy  version 2  failure (failed to pull"),
        "{said}"
    );
}

#[test]
fn waiting_has_an_end() {
    let fixture = running();
    fixture.faults(&["hang iris-model"]);
    fixture.pachctl("put file iris-data@master:/iris.csv -f iris.csv");
    let said = fixture.fail("wait iris --timeout 0");
    assert!(
        said.contains("iris-model, iris-deploy did not end within 0 s"),
        "{said}"
    );
    let id = fixture.state()["repos"]["iris-data"]["head"].clone();
    let of_commit = format!("wait iris --job {}", id.as_str().unwrap());
    let said = fixture.fail(&format!("{of_commit} --timeout 0"));
    assert!(said.contains("the jobs go on"), "{said}");
    fixture.faults(&[]);
    fixture.succeed(&of_commit);
    let said = fixture.fail("wait iris --job cd");
    assert!(said.contains("no pipeline has the job cd"), "{said}");
}

#[test]
fn a_stopped_pipeline_stays_stopped_and_is_not_waited_for() {
    let fixture = running();
    let mut state = fixture.state();
    state["pipelines"]["iris-deploy"]["stopped"] = true.into();
    fixture.set_state(&state);
    fixture.describe(&fixture.deploy("0.0.2"));
    let done = fixture.json("apply iris");
    assert_eq!(done["jobs"], json!([]));
    assert_eq!(each(&done, "stopped"), [false, true]);
    let said = fixture.succeed("status iris");
    assert!(said.contains("as the file says"), "{said}");
}

#[test]
fn a_cluster_that_does_not_answer_is_no_empty_one() {
    let fixture = running();
    fixture.faults(&["down"]);
    for words in ["plan", "apply", "status", "wait"] {
        let said = fixture.fail(words);
        assert!(said.contains("error connecting to pachd"), "{said}");
        assert!(said.contains("pachctl version"), "{said}");
    }
    let mut command = fixture.command("plan");
    command.env("XTASK_PACHCTL", "/nowhere/pachctl");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is pachctl installed?"), "{said}");
}

#[test]
fn an_input_that_another_use_case_makes_has_to_be_there() {
    let fixture = Fixture::new();
    let mut other = fixture.deploy("0.0.1");
    other["pipeline"]["name"] = json!("canary");
    fixture.write("pipelines/canary/canary-pipeline.json", &other.to_string());
    let said = fixture.fail("plan canary");
    assert!(said.contains("apply iris too"), "{said}");
    let plan = fixture.json("plan");
    assert_eq!(each(&plan, "name"), ["iris-model", "canary", "iris-deploy"]);
    let said = fixture.fail("plan rose");
    assert!(said.contains("known are: canary, iris"), "{said}");
}

#[test]
fn the_keys_for_machines_stay() {
    let fixture = running();
    fixture.describe(&fixture.deploy("0.0.2"));
    let page = include_str!("../../docs/pipelines.md");
    let keys = |value: &Value| -> Vec<String> {
        let keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        for key in &keys {
            assert!(
                page.contains(&format!("`{key}`")),
                "docs/pipelines.md lacks {key}"
            );
        }
        keys
    };
    let done = fixture.json("apply iris");
    assert_eq!(keys(&done), ["pipelines", "repos", "secrets", "jobs"]);
    let pipeline = [
        "name", "file", "action", "reasons", "changes", "version", "state", "stopped",
    ];
    assert_eq!(keys(&done["pipelines"][1]), pipeline);
    let change = ["path", "cluster", "file"];
    assert_eq!(keys(&done["pipelines"][1]["changes"][0]), change);
    let job = [
        "pipeline", "id", "version", "state", "reason", "created", "data",
    ];
    assert_eq!(keys(&done["jobs"][0]), job);
    let data = ["processed", "skipped", "failed", "total"];
    assert_eq!(keys(&done["jobs"][0]["data"]), data);
    let status = fixture.json("status iris");
    let more = [&pipeline[..], &["last_job", "reason"]].concat();
    assert_eq!(keys(&status["pipelines"][1]), more);
}
