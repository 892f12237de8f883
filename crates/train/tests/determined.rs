//! The real program against a Determined master: one experiment, one version, one
//! package, whatever happens.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{Noise, Pfs, VERSION, texts, tree};
use determined_mock::{
    ArchiveFault, CheckpointScript, Fault, MockMaster, Outcome, PASSWORD, Script, Stall, USER,
};
use model::{ModelInfo, Package};
use onnx::{Dim, ElementType, GraphBuilder, OPSET};
use serde_json::json;

const PAC_TOKEN: &str = "pac-t0ken-0f-a-r0bot";
const STORAGE_KEY: &str = "st0rage-secret-key";

/// A classifier of rows with two columns.
fn graph(output: &str, softmax: bool) -> Vec<u8> {
    let mut graph = GraphBuilder::new("classifier", "");
    let rows = Dim::Any("batch");
    let input = graph.input("input", ElementType::F32, &[rows, Dim::Fixed(2)]);
    let weights = graph.f32s("weights", &[2, 3], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.7]);
    let scores = graph.node("MatMul", &[&input, &weights], Vec::new());
    let biased = graph.f32s("bias", &[3], &[0.1, 0.5, 0.9]);
    let mut scores = graph.node("Add", &[&scores, &biased], Vec::new());
    if softmax {
        scores = graph.node("Softmax", &[&scores], Vec::new());
    }
    graph.output(&scores, output, ElementType::F32, &[rows, Dim::Fixed(3)]);
    assert_eq!(OPSET, 17);
    onnx::encode(&graph.finish("test", "1"))
}

/// A script whose checkpoints hold a real graph, and the configuration with its
/// secrets, as a `PyTorchTrial` saves it.
fn script() -> Script {
    let mut script = Script::default();
    let load_data = json!({
        "trial_type": "PyTorchTrial",
        "experiment_config": {
            "data": {"secrets": {"pachyderm_token": PAC_TOKEN}},
            "checkpoint_storage": {"secret_key": STORAGE_KEY},
        },
    });
    for checkpoint in &mut script.checkpoints {
        let mut add = |name: &str, content: Vec<u8>| {
            checkpoint.files.insert(name.to_owned(), content);
        };
        add("model.onnx", graph("probabilities", true));
        add("load_data.json", load_data.to_string().into_bytes());
        add("notes.txt", format!("key={STORAGE_KEY}\n").into_bytes());
    }
    script.log.push(format!("connecting with {PAC_TOKEN}"));
    script
}

const CONFIG: &str = "\
name: dogs
entrypoint: python3 train.py
searcher: {name: single, metric: accuracy, smaller_is_better: false}
data: {pachyderm: {host: null, port: null, repo: null, branch: null, token: null}}
";

struct Case {
    master: MockMaster,
    pfs: Pfs,
}

impl Case {
    fn new() -> Self {
        let master = MockMaster::start();
        master.world().script = script();
        Self {
            master,
            pfs: Self::pfs(),
        }
    }

    fn pfs() -> Pfs {
        Pfs::new()
            .file("code/train.py", "print(1)\n")
            .file("code/lib/net.py", "pass\n")
            .file("code/data/big.bin", "x")
            .file("code/.detignore", "/data\n")
            .file("code/const.yaml", CONFIG)
    }

    /// The next attempt finds an empty output, as Pachyderm gives it one.
    fn again(&mut self) {
        self.pfs = Self::pfs();
    }

    fn command(&self) -> Command {
        let mut command = self.pfs.command();
        command
            .args(["--engine", "determined", "--poll", "5ms"])
            .env("TRAIN_CODE", "/pfs/code")
            .env("TRAIN_CONFIG", "const.yaml")
            .env("DET_MASTER", self.master.url())
            .env("DET_USER", USER)
            .env("DET_PASSWORD", PASSWORD)
            .env("PAC_TOKEN", PAC_TOKEN)
            .env("PACHD_LB_SERVICE_HOST", "pachd.example")
            .env("PACHD_LB_SERVICE_PORT", "30650");
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        let output = self.command().args(args).output().unwrap();
        self.look_for_secrets(&output);
        output
    }

    fn succeeds(&self, args: &[&str]) -> (String, String) {
        let output = self.output(args);
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        self.published();
        (out, err)
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert_eq!(tree(&self.pfs.out()), BTreeMap::new(), "{err}");
        err
    }

    /// Nothing that is printed or written holds a secret.
    fn look_for_secrets(&self, output: &Output) {
        let mut all = tree(&self.pfs.out());
        all.insert("stdout".to_owned(), output.stdout.clone());
        all.insert("stderr".to_owned(), output.stderr.clone());
        for (name, content) in all {
            let text = String::from_utf8_lossy(&content);
            for secret in [PASSWORD, PAC_TOKEN, STORAGE_KEY, "mock-token"] {
                assert!(!text.contains(secret), "{secret} in {name}: {text}");
            }
        }
    }

    fn published(&self) -> Package {
        let info = ModelInfo::read(&self.pfs.out().join("model-info.yaml")).unwrap();
        assert_eq!(
            (info.name.as_str(), info.version.as_str()),
            ("iris", VERSION)
        );
        let folder = self.pfs.out().join("model");
        let package = Package::open_pinned(&folder, info.digest.unwrap()).unwrap();
        assert_eq!(info.metrics["accuracy"], 0.91);
        assert_eq!(package.manifest.labels, ["0", "1", "2"]);
        package
    }

    /// Experiments and versions.
    fn counts(&self) -> (usize, usize) {
        let (experiments, versions, _) = self.master.world().counts();
        (experiments, versions)
    }
}

#[test]
fn an_experiment_becomes_a_version_and_a_package() {
    let case = Case::new();
    let (out, err) = case.succeeds(&[]);
    assert!(out.contains("registered  version 1"), "{out}");
    for words in [
        "created experiment 1",
        "epoch 2",
        "accuracy 0.91",
        "********",
    ] {
        assert!(err.contains(words), "{words}: {err}");
    }
    let world = case.master.world();
    let experiment = &world.experiments[&1];
    let labels = json!(["iris-data", VERSION, "iris-model"]);
    assert_eq!(experiment.config["labels"], labels);
    let data = &experiment.config["data"];
    assert_eq!(
        data["pachyderm"],
        json!({
            "host": "pachd.example", "port": "30650", "repo": "iris-data", "branch": "c0ffee",
            "token": null,
        })
    );
    assert_eq!(data["secrets"]["pachyderm_token"], PAC_TOKEN);
    let paths = experiment.files.as_array().unwrap().iter();
    let paths: Vec<_> = paths.map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["const.yaml", "lib", "lib/net.py", "train.py"]);
    let model = &world.models[0];
    assert_eq!(model.body["labels"], json!(["iris-model", "iris-data"]));
    assert_eq!(model.versions[0].name, VERSION);
    assert_eq!(
        model.versions[0].notes,
        format!("Job_id/commit_id = {VERSION}")
    );
    drop(world);
    let files = tree(&case.pfs.out());
    assert_eq!(files["checkpoint/state_dict.pth"], b"not a pickle");
    assert_eq!(files["checkpoint/notes.txt"], b"key=********\n");
    let load_data = String::from_utf8(files["checkpoint/load_data.json"].clone()).unwrap();
    assert!(load_data.contains("PyTorchTrial"), "{load_data}");
    // A second run of the same output does nothing.
    let requests = case.master.requests().len();
    let (out, _) = case.succeeds(&[]);
    assert!(out.contains("nothing to do"), "{out}");
    assert_eq!(case.master.requests().len(), requests);
}

#[test]
fn another_attempt_takes_over_what_is_there() {
    let mut case = Case::new();
    case.succeeds(&[]);
    let first = tree(&case.pfs.out());
    case.again();
    let (_, err) = case.succeeds(&[]);
    assert!(err.contains("is of this job already"), "{err}");
    assert_eq!(tree(&case.pfs.out()), first, "the same bytes");
    case.again();
    case.master.world().models.clear();
    let (_, err) = case.succeeds(&[]);
    assert!(
        err.contains("experiment 1 of this job is completed"),
        "{err}"
    );
    assert_eq!(case.counts(), (1, 1));
    // What has failed is not taken over.
    case.again();
    case.master.world().models.clear();
    case.master.world().experiments.get_mut(&1).unwrap().state = "ERROR".to_owned();
    case.succeeds(&[]);
    assert_eq!(case.counts(), (2, 1));
}

#[test]
fn a_later_version_continues_the_latest_checkpoint() {
    let mut case = Case::new();
    case.succeeds(&[]);
    let source = case.master.world().models[0].versions[0].checkpoint.clone();
    let mut job = 2;
    let mut next = |case: &mut Case, args: &[&str]| {
        case.again();
        let output = case
            .command()
            .args(args)
            .env("PACH_JOB_ID", format!("job-{job}"))
            .output();
        job += 1;
        let output = output.unwrap();
        case.look_for_secrets(&output);
        assert_eq!(output.status.code(), Some(0), "{}", texts(&output).1);
    };
    next(&mut case, &[]);
    {
        let world = case.master.world();
        let second = &world.experiments[&2];
        assert_eq!(
            second.config["searcher"]["source_checkpoint_uuid"],
            source.as_str()
        );
        assert_eq!(
            (second.parent, second.files.as_array().unwrap().len()),
            (None, 4)
        );
    }
    next(&mut case, &["--fork"]);
    assert_eq!(case.master.world().experiments[&3].parent, Some(2));
    next(&mut case, &["--fresh"]);
    let world = case.master.world();
    assert!(world.experiments[&4].config["searcher"]["source_checkpoint_uuid"].is_null());
    assert_eq!(world.models[0].versions.len(), 4);
}

#[test]
fn every_end_has_its_words() {
    let cases: [(Script, &[&str], &str); 5] = [
        (Script::ending(Outcome::Error), &[], "experiment 1 failed"),
        (
            Script::completed(&[]),
            &[],
            "completed without a checkpoint",
        ),
        (
            Script::completed(&[(1, None), (2, Some(f64::NAN))]),
            &[],
            "none with a finite accuracy",
        ),
        (
            Script::ending(Outcome::Paused),
            &["--on-pause", "fail"],
            "is paused: activate it at",
        ),
        (
            Script {
                states: vec!["QUEUED".to_owned(); 100_000],
                ..Script::default()
            },
            &["--queue-limit", "50ms"],
            "waited longer than 50ms for resources and is cancelled",
        ),
    ];
    for (script, args, words) in cases {
        let case = Case::new();
        case.master.world().script = script;
        let err = case.refused(args);
        assert!(err.contains(words), "{words}: {err}");
        assert_eq!(case.counts(), (1, 0), "nothing is registered");
    }
}

/// The files of the best checkpoint, changed.
fn with_files(change: impl Fn(&mut CheckpointScript)) -> Case {
    let case = Case::new();
    case.master
        .world()
        .script
        .checkpoints
        .iter_mut()
        .for_each(change);
    case
}

#[test]
fn what_cannot_be_served_is_refused() {
    let case = with_files(|c| drop(c.files.remove("model.onnx")));
    let err = case.refused(&[]);
    assert!(
        err.contains("on_checkpoint_write_end") && err.contains("store_path"),
        "{err}"
    );
    assert_eq!(case.counts(), (1, 0), "nothing is registered");
    for (output, softmax, words) in [
        ("scores", true, "name the one to serve \"probabilities\""),
        ("probabilities", false, "export the model with a softmax"),
    ] {
        let case =
            with_files(|c| drop(c.files.insert("model.onnx".into(), graph(output, softmax))));
        let err = case.refused(&[]);
        assert!(err.contains(words), "{words}: {err}");
    }
    let secret = [b"\xff\x00", PAC_TOKEN.as_bytes()].concat();
    let case = with_files(|c| drop(c.files.insert("state.pkl".into(), secret.clone())));
    let err = case.refused(&[]);
    assert!(
        err.contains("state.pkl: it holds a password or token"),
        "{err}"
    );
}

#[test]
fn a_description_names_the_classes() {
    let text = br#"{"target": "animal", "labels": ["cat", "dog", "owl"]}"#;
    let case = with_files(|c| drop(c.files.insert("model.json".into(), text.to_vec())));
    let output = case.output(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", texts(&output).1);
    let package = case.pfs.package();
    assert_eq!(package.manifest.labels, ["cat", "dog", "owl"]);
    assert_eq!(package.manifest.target, "animal");
}

#[test]
fn wrong_settings_are_refused_before_anything_is_created() {
    let case = Case::new();
    let none = case.refused(&["--config", "none.yaml"]);
    assert!(none.contains("cannot read the configuration"), "{none}");
    let code = case.refused(&["--code", "/pfs/nowhere"]);
    assert!(code.contains("is not a folder"), "{code}");
    let output = case
        .command()
        .env("DET_PASSWORD", "wr0ng-passw0rd")
        .output()
        .unwrap();
    let (_, err) = texts(&output);
    assert!(err.contains("401") && !err.contains("wr0ng"), "{err}");
    assert_eq!(case.counts(), (0, 0));
}

#[test]
fn faults_make_no_second_experiment() {
    let cases: [(&str, &str, Fault, usize); 9] = [
        ("POST", "/api/v1/experiments", Fault::CutAfter, 1),
        ("POST", "/api/v1/experiments", Fault::StatusAfter(502), 1),
        ("POST", "/api/v1/experiments", Fault::CutBefore, 1),
        ("POST", "/api/v1/models/iris/versions", Fault::CutAfter, 1),
        ("POST", "/api/v1/models", Fault::StatusAfter(504), 1),
        ("GET", "/api/v1/experiments/", Fault::Status(503), 2),
        ("GET", "/api/v1/experiments/", Fault::ExpireTokens, 1),
        ("GET", "/checkpoints/", Fault::CutBefore, 1),
        (
            "GET",
            "/api/v1/models",
            Fault::Slow(Duration::from_millis(200)),
            3,
        ),
    ];
    for (method, path, fault, times) in cases {
        let case = Case::new();
        case.master.fault(method, path, fault, times);
        let output = case.output(&[]);
        let err = texts(&output).1;
        assert_eq!(output.status.code(), Some(0), "{fault:?} at {path}: {err}");
        case.published();
        assert_eq!(case.counts(), (1, 1), "{fault:?} at {path}: {err}");
    }
    let case = Case::new();
    case.master.world().script.activation_fails = true;
    case.succeeds(&[]);
    case.master.world().log_cuts = vec![1];
    assert_eq!(case.counts(), (1, 1));
}

#[test]
fn hostile_archives_leave_nothing() {
    for fault in [
        ArchiveFault::Omit("model.onnx".to_owned()),
        ArchiveFault::Add("../x".to_owned()),
        ArchiveFault::EndAt(700),
    ] {
        let case = Case::new();
        case.master.world().archive_fault = Some(fault);
        case.refused(&[]);
    }
}

fn spawn(case: &Case, args: &[&str]) -> Child {
    let mut command = case.command();
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits until the master stalls, unless the program ends before.
fn stalled(case: &Case, child: &mut Child) -> bool {
    let start = Instant::now();
    while !case.master.world().stalled {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "neither");
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

#[test]
fn killed_anywhere_and_tried_again() {
    let whole = Case::new();
    whole.succeeds(&[]);
    let requests = whole.master.requests().len();
    let mut noise = Noise::new(7);
    println!(
        "{:>7} {:<6} {:<45} experiments versions packages",
        "request", "effect", "at"
    );
    for point in 0..20 {
        let at = (f64::from(point) + noise.uniform()) / 20.0 * requests as f64;
        let after_effect = noise.uniform() < 0.5;
        let mut case = Case::new();
        let request = at as usize;
        case.master.world().stall = Some(Stall {
            request,
            after_effect,
        });
        let mut child = spawn(&case, &[]);
        let reached = stalled(&case, &mut child);
        // SIGKILL, as Pachyderm sends it.
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        case.look_for_secrets(&output);
        let place = case.master.requests().into_iter().nth(request);
        let place = place.map_or_else(
            || "the end".to_owned(),
            |r| format!("{} {}", r.method, r.path),
        );
        case.master.world().stall = None;
        case.master.world().stalled = false;
        case.again();
        case.succeeds(&[]);
        let (experiments, versions) = case.counts();
        let effect = if after_effect { "after" } else { "before" };
        println!(
            "{request:>7} {effect:<6} {place:<45} {experiments:>11} {versions:>8} {:>8}",
            1
        );
        assert!(
            reached || request + 3 >= requests,
            "request {request} of {requests} never came"
        );
        assert_eq!((experiments, versions), (1, 1), "killed {effect} {place}");
    }
}

fn terminate(child: &Child) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn sigterm_leaves_or_cancels_the_experiment() {
    for (args, words, state) in [
        (
            &["--on-sigterm", "leave"],
            "the experiment goes on",
            "RUNNING",
        ),
        (
            &["--on-sigterm", "cancel"],
            "the experiment is cancelled",
            "STOPPING_CANCELED",
        ),
    ] {
        let case = Case::new();
        case.master.world().script.outcome = Outcome::Endless;
        let child = spawn(&case, args);
        let start = Instant::now();
        while case
            .master
            .world()
            .experiments
            .get(&1)
            .is_none_or(|e| e.state != "RUNNING")
        {
            assert!(start.elapsed() < Duration::from_secs(60), "it never runs");
            std::thread::sleep(Duration::from_millis(5));
        }
        terminate(&child);
        let output = child.wait_with_output().unwrap();
        case.look_for_secrets(&output);
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains(words), "{err}");
        assert_eq!(case.master.world().experiments[&1].state, state);
        assert_eq!(tree(&case.pfs.out()), BTreeMap::new());
    }
}
