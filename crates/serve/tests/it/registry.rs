//! A version from the registry of a Determined master.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use ::onnx::{Dim, ElementType, GraphBuilder};
use determined_mock::{ArchiveFault, MockMaster, PASSWORD, USER};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::package::{self, write};
use crate::support::server::{Server, bare};

const MODEL: &str = "dogs and cats";

type Files = BTreeMap<String, Vec<u8>>;

/// A master whose registry has the model, and an empty cache.
struct Case {
    master: MockMaster,
    folder: TempDir,
}

impl Case {
    fn new() -> Self {
        Self::with(MockMaster::start())
    }

    fn with(master: MockMaster) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { master, folder }
    }

    /// Registers a checkpoint and gives its UUID.
    fn add(&self, version: &str, files: Files) -> String {
        let mut world = self.master.world();
        let experiment = world.add_experiment(json!({
            "searcher": {"metric": "accuracy"}, "checkpoint_storage": {"type": "shared_fs"},
        }));
        let checkpoint = world.add_checkpoint(experiment, 100, Some(0.75), files);
        world.add_version(MODEL, version, &checkpoint);
        checkpoint
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn command(&self, version: &str) -> Command {
        let mut command = bare();
        command
            .arg("--cache")
            .arg(self.cache())
            .args(["--model-name", MODEL, "--model-version", version])
            .env("DET_MASTER", self.master.url())
            .env("DET_USER", USER)
            .env("DET_PASSWORD", PASSWORD);
        command
    }

    /// What `command` ends with.
    fn refused(command: &mut Command) -> String {
        let output = command.output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(!log.contains(PASSWORD) && !log.contains("hunter2"), "{log}");
        assert_eq!(output.status.code(), Some(1), "{log}");
        let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        line["message"].as_str().unwrap().to_owned()
    }

    fn downloads(&self) -> usize {
        let requests = self.master.requests();
        let downloads = requests
            .iter()
            .filter(|r| r.path.starts_with("/checkpoints/"));
        downloads.count()
    }
}

/// The files of a package that gives `factor` times its input, and others.
fn scaled(factor: f32) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    write(&path, "own name", "own version", factor);
    let mut files = read(&path);
    files.insert("state_dict.pth".to_owned(), b"not a pickle".to_vec());
    files.insert("code/model_def.py".to_owned(), b"print(1)\n".to_vec());
    files
}

fn read(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

/// What the server makes of 1, with the version that it names.
fn answer(server: &Server) -> (f64, String) {
    let body = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#;
    let reply = server.post("/v2/models/dogs%20and%20cats/infer", body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply: Value = serde_json::from_str(&reply.body).unwrap();
    let value = reply["outputs"][0]["data"][0].as_f64().unwrap();
    (value, reply["model_version"].as_str().unwrap().to_owned())
}

#[test]
fn a_version_by_its_name_its_number_or_as_the_latest() {
    let case = Case::new();
    case.add("job-1", scaled(1.0));
    case.add("job-2", scaled(2.0));
    let last = case.add("", scaled(3.0));
    for (version, value, name) in [
        ("job-1", 1.0, "job-1"),
        ("2", 2.0, "job-2"),
        ("latest", 3.0, "3"),
    ] {
        let parameters = [
            ("det_master", case.master.url().as_str()),
            ("user", USER),
            ("password", PASSWORD),
            ("model_name", MODEL),
            ("model_version", version),
        ]
        .map(|(name, value)| json!({"name": name, "value": value, "type": "STRING"}));
        let mut command = bare();
        command
            .env("SERVE_CACHE", case.cache())
            .env("PREDICTIVE_UNIT_PARAMETERS", json!(parameters).to_string())
            .env("SELDON_LOG_LEVEL", "DEBUG");
        let server = Server::ready(&mut command);
        assert_eq!(answer(&server), (value, name.to_owned()));
        let log = server.log();
        assert!(
            !log.contains(PASSWORD) && !log.contains("mock-token"),
            "{log}"
        );
        let metadata: Value = serde_json::from_str(&server.get("/metadata").body).unwrap();
        assert_eq!(metadata["name"], MODEL);
        assert_eq!(metadata["versions"], json!([name]));
        if version == "latest" {
            assert_eq!(metadata["custom"]["registry_version"], "3");
            assert_eq!(metadata["custom"]["checkpoint"], last);
            let found = server.line_before("found in the registry");
            assert_eq!(
                (&found["version"], &found["number"]),
                (&json!("3"), &json!(3))
            );
        }
        let path = "/v2/repository/models/dogs%20and%20cats/load";
        assert_eq!(server.post(path, "").status, 200);
    }
}

/// A classifier of two columns, as training code exports it.
fn exported() -> Vec<u8> {
    let mut graph = GraphBuilder::new("classifier", "");
    let rows = Dim::Any("batch");
    let input = graph.input("input", ElementType::F32, &[rows, Dim::Fixed(2)]);
    let weights = graph.f32s("weights", &[2, 2], &[0.0; 4]);
    let scores = graph.node("MatMul", &[&input, &weights], Vec::new());
    let shares = graph.node("Softmax", &[&scores], Vec::new());
    graph.output(
        &shares,
        "probabilities",
        ElementType::F32,
        &[rows, Dim::Fixed(2)],
    );
    ::onnx::encode(&graph.finish("test", "1"))
}

#[test]
fn a_graph_with_a_description_becomes_a_package() {
    let case = Case::new();
    let description = br#"{"target": "kind", "labels": ["cat", "dog"]}"#;
    let files = [
        ("model.onnx", exported()),
        ("model.json", description.to_vec()),
        ("load_data.json", b"{}".to_vec()),
    ];
    let files = files.map(|(name, content)| (name.to_owned(), content));
    let uuid = case.add("job-1", files.into());
    let server = Server::ready(&mut case.command("job-1"));
    let reply = server.post("/api/v1.0/predictions", r#"{"data":{"ndarray":[[1,2]]}}"#);
    assert_eq!(
        reply.body,
        r#"{"data":{"names":["cat","dog"],"ndarray":[[0.5,0.5]]},"meta":{}}"#
    );
    let kept = model::Package::open(&case.cache().join(uuid)).unwrap();
    assert_eq!(kept.manifest.version, "job-1");
    assert_eq!(kept.manifest.metrics["accuracy"], 0.75);
}

#[test]
fn the_package_must_have_the_digest() {
    let case = Case::new();
    case.add("job-1", scaled(2.0));
    let pin = |digest: &str| {
        let parameter = json!([{"name": "model_digest", "value": digest, "type": "STRING"}]);
        let mut command = case.command("job-1");
        command.env("PREDICTIVE_UNIT_PARAMETERS", parameter.to_string());
        command
    };
    let other = package::identity().digest.to_string();
    let error = Case::refused(&mut pin(&other));
    assert!(error.contains(&format!("expected {other}")), "{error}");
    assert!(error.contains("serve that by modelUri"), "{error}");
    let server = Server::ready(&mut case.command("job-1"));
    let digest = server.line_before("ready")["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    Server::ready(&mut pin(&digest));
}

#[test]
fn a_folder_weighs_more_than_a_registry() {
    let case = Case::new();
    let package = package::identity();
    let mut command = bare();
    command
        .env("MLSERVER_MODEL_URI", package.folder())
        .env("DET_MASTER", case.master.url())
        .env("DET_USER", USER);
    Server::ready(&mut command);
    assert!(case.master.requests().is_empty());
}

#[test]
fn what_is_wrong_for_good_ends_the_start_at_once() {
    let case = Case::new();
    for number in 1..=7 {
        case.add(&format!("job-{number}"), scaled(1.0));
    }
    case.master
        .world()
        .add_version("cats and dogs", "x", "no checkpoint");
    let mut bare_checkpoint = scaled(1.0);
    bare_checkpoint.remove("model.onnx");
    case.add("without-graph", bare_checkpoint);
    let damaged = Files::from([("model.onnx".to_owned(), b"not a graph".to_vec())]);
    case.add("no-graph", damaged);
    let mut torn = scaled(1.0);
    torn.get_mut("model.onnx").unwrap()[10] ^= 1;
    case.add("torn", torn);
    let flag = |flag: &str, value: &str| {
        let mut command = case.command("job-1");
        command.args([flag, value]);
        command
    };
    let mut stranger = case.command("job-1");
    stranger.env("DET_PASSWORD", "hunter2");
    for (mut command, words) in [
        (stranger, ["answers 401", "check user and password"]),
        (
            flag("--model-name", "dogs and cat"),
            [
                "no model \"dogs and cat\"",
                "\"dogs and cats\", \"cats and dogs\"",
            ],
        ),
        (
            flag("--model-version", "job-9"),
            [
                "\"job-9\"",
                "the newest of 10 are \"torn\" (10), \"no-graph\" (9)",
            ],
        ),
        (
            flag("--model-version", "99"),
            ["name or number \"99\"", "latest"],
        ),
        (
            flag("--model-version", "without-graph"),
            ["holds no model.onnx", "torch.onnx.export"],
        ),
        (
            flag("--model-version", "no-graph"),
            ["cannot be served", "not an ONNX file"],
        ),
        (
            flag("--model-version", "torn"),
            ["cannot be served", "model.onnx is damaged"],
        ),
        (
            flag("--cache", "/dev/null/cache"),
            ["mount an emptyDir", "--cache"],
        ),
    ] {
        let error = Case::refused(&mut command);
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
    // Nothing of what failed is taken for a package later.
    let kept: Vec<_> = fs::read_dir(case.cache()).unwrap().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
}

#[test]
fn an_archive_that_is_not_whole_is_refused() {
    let case = Case::new();
    case.add("job-1", scaled(1.0));
    for (fault, word) in [
        (ArchiveFault::EndAt(2000), ""),
        (
            ArchiveFault::Omit("model.json".to_owned()),
            "lacks \"model.json\"",
        ),
        (ArchiveFault::Add("../x".to_owned()), "outside"),
    ] {
        case.master.world().archive_fault = Some(fault);
        let error = Case::refused(&mut case.command("job-1"));
        let uuid = "00000001-2222";
        assert!(error.contains(word) && error.contains(uuid), "{error}");
    }
    case.master.world().archive_fault = None;
    Server::ready(&mut case.command("job-1"));
}

#[test]
fn a_master_that_is_away_is_waited_for() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare();
    command
        .args([
            "--det-master",
            &format!("http://{address}"),
            "--det-user",
            USER,
        ])
        .args([
            "--model-name",
            MODEL,
            "--model-version",
            "latest",
            "--cache",
        ])
        .arg(folder.path().join("a"))
        .env("DET_PASS", PASSWORD);
    let mut server = Server::listening(&mut command);
    server.line("the master is away");
    assert_eq!(server.get("/health/ping").status, 200);
    assert_eq!(server.get("/health/status").status, 503);
    let case = Case::with(MockMaster::start_on(TcpListener::bind(address).unwrap()));
    case.add("job-1", scaled(2.0));
    // A transfer that breaks is begun again too.
    case.master.world().archive_fault = Some(ArchiveFault::CutAt(100));
    server.line("found in the registry");
    let away = server.line("the master is away");
    assert_eq!(away["level"], "WARN");
    case.master.world().archive_fault = None;
    server.line("ready");
    assert_eq!(answer(&server), (2.0, "job-1".to_owned()));
}

#[test]
fn the_wait_for_a_master_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare();
    command
        .env("DET_MASTER", "http://127.0.0.1:9")
        .env("DET_USER", USER)
        .env("DET_PASSWORD", PASSWORD)
        .env("SERVE_CACHE", folder.path())
        .args(["--model-name", MODEL, "--model-version", "1"])
        .args(["--det-patience", "0.5"]);
    let error = Case::refused(&mut command);
    assert!(error.contains("away for 0.5 s"), "{error}");
    assert!(error.contains("no connection to the master"), "{error}");
}

#[test]
fn a_container_that_starts_again_uses_what_it_has() {
    let case = Case::new();
    let uuid = case.add("job-1", scaled(2.0));
    // Of a process that was killed.
    let leftover = case.cache().join(".partial-received");
    fs::create_dir_all(&leftover).unwrap();
    fs::write(leftover.join("model.onnx"), "half").unwrap();
    for downloads in [1, 1] {
        let server = Server::ready(&mut case.command("latest"));
        assert_eq!(answer(&server), (2.0, "job-1".to_owned()));
        assert_eq!(case.downloads(), downloads);
    }
    assert!(!leftover.exists());
    let graph = case.cache().join(uuid).join("model.onnx");
    fs::write(graph, "damaged").unwrap();
    let server = Server::ready(&mut case.command("latest"));
    assert_eq!(answer(&server), (2.0, "job-1".to_owned()));
    assert_eq!(case.downloads(), 2);
}
