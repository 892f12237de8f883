//! This program as the experiment: sent, run as a task, adopted and published.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use determined_mock::Fault;
use serde_json::json;

use super::own::{Own, local_package};
use super::support::PAC_TOKEN;
use crate::common::pictures::colours;
use crate::common::{Pfs, VERSION, texts, tree};

#[test]
fn the_program_that_runs_goes_along_with_its_c_library() {
    let own = Own::new();
    let dir = tempfile::tempdir().unwrap();
    // Without symbols, as in its image: what a test is built with is too large to be sent.
    let program = dir.path().join("train");
    let mut strip = Command::new("strip");
    strip.arg(env!("CARGO_BIN_EXE_train")).arg("-o");
    assert!(strip.arg(&program).status().unwrap().success());
    let as_built = own.command(&[]);
    let mut command = Command::new(&program);
    command.args(as_built.get_args()).env_clear();
    let set = |(key, value): (_, Option<_>)| Some((key, value?));
    command.envs(as_built.get_envs().filter_map(set));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    own.wait_for("RUNNING", &mut child);
    let (out, err) = texts(&own.task());
    assert!(out.contains("checkpoint  "), "{out}{err}");
    own.published(&child.wait_with_output().unwrap());

    let world = own.master.world();
    let experiment = &world.experiments[&1];
    let words = experiment.config["entrypoint"].as_array().unwrap();
    let words: Vec<&str> = words.iter().map(|word| word.as_str().unwrap()).collect();
    let [loader, "--library-path", "lib", "./train", "trial", ..] = words[..] else {
        panic!("{words:?}");
    };
    let files = experiment.files.as_array().unwrap().iter();
    let files: Vec<_> = files.map(|f| f["path"].as_str().unwrap()).collect();
    for path in [loader.trim_start_matches("./"), "lib/libc.so.6"] {
        assert!(files.contains(&path), "{path}: {files:?}");
    }
}

#[test]
fn the_program_is_its_own_experiment() {
    let own = Own::new();
    let mut child = own.start(&[]);
    own.wait_for("RUNNING", &mut child);
    let (out, err) = texts(&own.task());
    assert!(out.contains("checkpoint  "), "{out}{err}");
    own.published(&child.wait_with_output().unwrap());
    assert_eq!(own.counts(), (1, 1, 1));
    // The same bytes as on a laptop.
    assert_eq!(tree(&own.pfs.out().join("model")), local_package());

    let world = own.master.world();
    let experiment = &world.experiments[&1];
    let config = &experiment.config;
    assert_eq!(
        config["labels"],
        json!(["iris-data", VERSION, "iris-model"])
    );
    assert_eq!(config["resources"]["slots_per_trial"], 0);
    assert_eq!(config["searcher"]["metric"], "loss");
    assert_eq!(config["entrypoint"][0], "./train");
    assert!(!config.to_string().contains(PAC_TOKEN), "it needs none");
    let files = experiment.files.as_array().unwrap().iter();
    let files: Vec<_> = files.map(|f| f["path"].as_str().unwrap()).collect();
    let expected = [
        "experiment.yaml",
        "pfs",
        "pfs/data",
        "pfs/data/a.csv",
        "train",
    ];
    assert_eq!(files, expected);
    assert_eq!(world.models[0].versions[0].name, VERSION);
    drop(world);

    let metrics = own.reports("/trials/10/metrics");
    assert_eq!(metrics[0]["group"], "training");
    assert_eq!(metrics[1]["group"], "validation");
    let reported = &metrics[1]["metrics"]["metrics"]["avgMetrics"];
    assert!(reported["accuracy"].as_f64().unwrap() > 0.9, "{reported}");
    assert_eq!(reported["loss"], reported["log_loss"]);
    let progress = own.reports("/progress");
    assert_eq!(progress.last().unwrap()["progress"], 1.0);
    let saved = &own.reports("/checkpoints")[0];
    assert_eq!(saved["storageId"], 1);
    assert_eq!(saved["metadata"]["version"], VERSION);
    assert!(saved["resources"]["model.onnx"].is_string(), "{saved}");
    let folder = own.storage.path().join(saved["uuid"].as_str().unwrap());
    assert!(folder.join("metadata.json").is_file());
}

#[test]
fn a_task_makes_room_and_is_started_again() {
    let own = Own::new();
    let mut child = own.start(&[]);
    own.wait_for("RUNNING", &mut child);
    // Before it begins.
    own.master.world().preempt = true;
    let (out, err) = texts(&own.task());
    assert_eq!(out, "made room\n", "{err}");
    // While it trains: it has asked, and then the master does.
    own.wait_for("RUNNING", &mut child);
    let slow = Fault::Slow(Duration::from_millis(300));
    own.master
        .fault("POST", "/api/v1/trials/10/runner/metadata", slow, 1);
    let (out, err) = thread::scope(|scope| {
        scope.spawn(|| {
            own.wait_for_request("/runner/metadata");
            own.master.world().preempt = true;
        });
        texts(&own.task())
    });
    assert_eq!(out, "made room\n", "{err}");
    assert!(err.contains("the next start begins anew"), "{err}");
    assert_eq!(own.reports("/signals/ack_preemption").len(), 2);
    assert_eq!(own.counts(), (1, 0, 0));
    own.wait_for("RUNNING", &mut child);
    own.task();
    own.published(&child.wait_with_output().unwrap());
    assert_eq!(own.counts(), (1, 1, 1));
}

#[test]
fn a_task_that_finds_its_checkpoint_saves_no_other() {
    let own = Own::new();
    let mut child = own.start(&[]);
    own.wait_for("RUNNING", &mut child);
    let folder = tempfile::tempdir().unwrap();
    let first = own.master.start_task(1, folder.path()).output().unwrap();
    assert!(first.status.success(), "{}", texts(&first).1);
    // Its agent is lost before it can say that the task has ended.
    let (out, err) = texts(&own.task());
    assert!(out.contains("nothing to do"), "{out}{err}");
    own.published(&child.wait_with_output().unwrap());
    assert_eq!(own.counts(), (1, 1, 1));
}

#[test]
fn lost_answers_are_no_second_report() {
    for (path, fault) in [
        ("/api/v1/trials/10/metrics", Fault::CutAfter),
        ("/api/v1/trials/10/metrics", Fault::CutBefore),
        ("/api/v1/checkpoints", Fault::StatusAfter(502)),
        ("/api/v1/checkpoints", Fault::CutBefore),
    ] {
        let own = Own::new();
        let mut child = own.start(&[]);
        own.wait_for("RUNNING", &mut child);
        own.master.fault("POST", path, fault, 1);
        let (out, err) = texts(&own.task());
        assert!(out.contains("checkpoint  "), "{fault:?} at {path}: {err}");
        own.published(&child.wait_with_output().unwrap());
        assert_eq!(own.counts(), (1, 1, 1), "{fault:?} at {path}");
    }
}

#[test]
fn the_data_may_be_where_the_tasks_are() {
    let own = Own::new();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a.csv");
    fs::copy(own.pfs.path().join("data/a.csv"), &data).unwrap();
    let args = ["--det-data", folder.path().to_str().unwrap()];
    let mut child = own.start(&args);
    own.wait_for("RUNNING", &mut child);
    // Other data under the same name.
    let whole = fs::read_to_string(&data).unwrap();
    let (most, _) = whole.trim_end().rsplit_once('\n').unwrap();
    fs::write(&data, most).unwrap();
    let output = own.task();
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("holds other data"), "{err}");
    let err = own.refused(&child.wait_with_output().unwrap());
    assert!(err.contains("experiment 1 failed"), "{err}");
    fs::write(&data, whole).unwrap();
    own.master.world().experiments.clear();
    let mut child = own.start(&args);
    own.wait_for("RUNNING", &mut child);
    own.task();
    own.published(&child.wait_with_output().unwrap());
    let files = own.master.world().experiments[&1].files.to_string();
    assert!(!files.contains("a.csv"), "{files}");
}

#[test]
fn a_backbone_goes_along() {
    let mut own = Own::new();
    let pictures = colours(|class, number| format!("{class}.{number}.png"));
    own.pfs = Own::dressed(pictures, &own.storage, "");
    let cache = tempfile::tempdir().unwrap();
    let kept = || tree(cache.path()).len();
    let cached = cache.path().to_str().unwrap();
    let mut child = own.start(&["--config", "/pfs/experiment.yaml", "--cache", cached]);
    own.wait_for("RUNNING", &mut child);
    assert_eq!(kept(), 0, "it is the tasks that embed");
    let (_, err) = texts(&own.task());
    let entrypoint = own.master.world().experiments[&1].config["entrypoint"].clone();
    assert!(kept() >= 30, "{entrypoint}: {err}");
    let package = own.published(&child.wait_with_output().unwrap());
    let provenance = package.manifest.provenance;
    assert_eq!(provenance.backbone.as_ref().unwrap().name, "means");
    assert_eq!(provenance.data_files.unwrap().count, 30);
    let world = own.master.world();
    let files = world.experiments[&1].files.to_string();
    for path in ["pfs/backbone/backbone.onnx", "pfs/data/red.7.png"] {
        assert!(files.contains(path), "{path}");
    }
}

#[test]
fn a_backbone_in_a_bucket_goes_along_under_its_url() {
    let mut own = Own::new();
    let pictures = colours(|class, number| format!("{class}.{number}.png"));
    let url = "file:///pfs/backbone";
    let pictures = pictures.file("experiment.yaml", format!("backbone: {url}\n"));
    own.pfs = Own::dressed(pictures, &own.storage, "");
    let mut child = own.start(&["--config", "/pfs/experiment.yaml"]);
    own.wait_for("RUNNING", &mut child);
    let (_, err) = texts(&own.task());
    let taken = format!("taking backbones/file/pfs/backbone for {url}");
    assert!(err.contains(&taken), "{err}");
    let package = own.published(&child.wait_with_output().unwrap());
    assert_eq!(package.manifest.provenance.config["backbone"], url);
}

/// A build as small as those in images, which is what it sends when it is asked
/// for no other.
#[test]
#[ignore = "needs strip, of binutils"]
fn the_file_that_runs_here_runs_there() {
    let own = Own::new();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("small");
    let strip = Command::new("strip")
        .args([env!("CARGO_BIN_EXE_train"), "-o"])
        .arg(&program)
        .status();
    assert!(strip.unwrap().success());
    let usual = own.command(&[]);
    let mut command = Command::new(&program);
    command.args(usual.get_args()).env_clear();
    for (name, value) in usual.get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = output.spawn().unwrap();
    own.wait_for("RUNNING", &mut child);
    let task = tempfile::tempdir().unwrap();
    let output = own.master.start_task(1, task.path()).output().unwrap();
    let sent = fs::read(task.path().join("train")).unwrap();
    assert!(
        sent == fs::read(&program).unwrap(),
        "another program was sent"
    );
    assert!(output.status.success(), "{}", texts(&output).1);
    own.master.world().end_task(1, output.status.code());
    own.published(&child.wait_with_output().unwrap());
    assert_eq!(own.counts(), (1, 1, 1));
}

#[test]
fn hyperparameters_are_those_of_the_searcher() {
    let run = |hyperparameters: &str| {
        let mut own = Own::new();
        let more = format!("hyperparameters: {hyperparameters}\n");
        own.pfs = Own::pfs(&own.storage, &more);
        let mut child = own.start(&[]);
        own.wait_for("RUNNING", &mut child);
        let task = texts(&own.task());
        (own, task.1, child.wait_with_output().unwrap())
    };
    let (own, _, output) = run("{l2: 7.5}");
    let package = own.published(&output);
    let config = package.manifest.provenance.config;
    assert_eq!(config["hyperparameters"]["l2"], 7.5);
    let (own, task, output) = run("{l2: -1}");
    assert!(task.contains("hyperparameters.l2 is -1"), "{task}");
    let reason = own.reports("/early_exit")[0]["reason"].clone();
    assert_eq!(reason, "EXITED_REASON_INVALID_HP");
    let err = own.refused(&output);
    assert!(err.contains("completed without a checkpoint"), "{err}");
}

#[test]
fn outside_of_a_task_a_trial_says_what_is_missing() {
    let pfs = Pfs::iris();
    let output = pfs.trial().output().unwrap();
    let (_, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("DET_SESSION_TOKEN"), "{err}");
}
