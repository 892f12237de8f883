//! A version from a registry in an object store.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bucket_server::{Answer, Bucket};
use registry::Registry;
use serde_json::{Value, json};
use storage::Access;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::client::Client;
use crate::support::package::write;
use crate::support::server::{Server, bare};

/// A registry with an empty cache beside it.
struct Case {
    folder: TempDir,
    url: String,
    variables: Vec<(String, String)>,
    bucket: Option<Bucket>,
    runtime: Runtime,
    registry: Registry,
}

impl Case {
    /// `file`, or the scheme of a cloud.
    fn new(scheme: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("registry");
        fs::create_dir(&root).unwrap();
        let (mut url, mut variables, mut bucket) =
            (format!("file://{}", root.display()), Vec::new(), None);
        if scheme != "file" {
            let started = Bucket::start(BTreeMap::new());
            let mut clouds = started.clouds().into_iter();
            variables = clouds.find(|(cloud, _)| *cloud == scheme).unwrap().1;
            url = format!("{scheme}://models/team");
            bucket = Some(started);
        }
        let runtime = Runtime::new().unwrap();
        let access = Access::from_variables(variables.clone());
        let registry = runtime.block_on(Registry::open(&url, &access)).unwrap();
        Self {
            folder,
            url,
            variables,
            bucket,
            runtime,
            registry,
        }
    }

    /// Publishes a version that gives `factor` times its input.
    fn publish(&self, version: &str, factor: f32) {
        let folder = self.folder.path().join("published").join(version);
        write(&folder, "iris", version, factor);
        let publishing = self.registry.publish(&folder, None);
        self.runtime.block_on(publishing).unwrap();
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn command(&self, model: &str) -> Command {
        let mut command = bare();
        command
            .arg("--cache")
            .arg(self.cache())
            .args(["--registry", &self.url, "--model", model])
            .envs(self.variables.clone());
        command
    }

    fn refused(command: &mut Command) -> String {
        let output = command.output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(!log.contains("hunter2"), "{log}");
        assert_ne!(output.status.code(), Some(0), "{log}");
        log.lines().last().unwrap().to_owned()
    }

    /// The names of the packages in the cache.
    fn cached(&self) -> usize {
        let entries = fs::read_dir(self.cache()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("sha256-"))
            .count()
    }
}

/// What the server makes of 1, with the version that it names.
fn answer(server: &Server) -> (f64, String) {
    ask(&Client::new(), &server.url("/v2/models/iris/infer"))
}

fn ask(client: &Client, url: &str) -> (f64, String) {
    let body = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#;
    let reply = client.post(url, "application/json", body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply: Value = serde_json::from_str(&reply.body).unwrap();
    let value = reply["outputs"][0]["data"][0].as_f64().unwrap();
    (value, reply["model_version"].as_str().unwrap().to_owned())
}

#[test]
fn a_version_by_its_name_its_number_or_as_the_latest() {
    for scheme in ["file", "s3", "gs", "az"] {
        let case = Case::new(scheme);
        case.publish("job-1", 1.0);
        case.publish("job-2", 2.0);
        for (model, value, name) in [
            ("iris", 2.0, "job-2"),
            ("iris:latest", 2.0, "job-2"),
            ("iris:1", 1.0, "job-1"),
            ("iris:job-1", 1.0, "job-1"),
        ] {
            let server = Server::ready(&mut case.command(model));
            assert_eq!(answer(&server), (value, name.to_owned()));
            let metadata: Value = serde_json::from_str(&server.get("/metadata").body).unwrap();
            assert_eq!(metadata["versions"], json!([name]));
            assert_eq!(metadata["custom"]["registry"], case.url);
            assert_eq!(metadata["custom"]["registry_version"], value.to_string());
            assert!(!server.log().contains("hunter2"), "{}", server.log());
        }
    }
}

/// As `deploy` writes it into a SeldonDeployment.
#[test]
fn a_version_by_parameters() {
    let case = Case::new("s3");
    case.publish("job-1", 1.0);
    case.publish("job-2", 2.0);
    let parameters = [("model_name", "iris"), ("model_version", "job-1")];
    let parameters =
        parameters.map(|(name, value)| json!({"name": name, "value": value, "type": "STRING"}));
    let mut command = bare();
    command
        .env("SERVE_CACHE", case.cache())
        .env("SERVE_REGISTRY", &case.url)
        .env("PREDICTIVE_UNIT_PARAMETERS", json!(parameters).to_string())
        .envs(case.variables.clone());
    let server = Server::ready(&mut command);
    assert_eq!(answer(&server), (1.0, "job-1".to_owned()));
    // A folder weighs more.
    let folder = case.folder.path().join("published/job-2");
    command.env("MLSERVER_MODEL_URI", &folder);
    command.env("PREDICTIVE_UNIT_PARAMETERS", "[]");
    let server = Server::ready(&mut command);
    assert_eq!(answer(&server), (2.0, "job-2".to_owned()));
}

/// Each answer is one version's own: its factor and its name belong together.
#[test]
fn the_latest_is_followed_without_a_refused_or_mixed_answer() {
    for scheme in ["file", "s3"] {
        let case = Case::new(scheme);
        case.publish("job-1", 1.0);
        let mut command = case.command("iris:latest");
        command.args(["--watch", "--registry-poll", "0.05"]);
        let server = Server::ready(&mut command);
        let ended = Arc::new(AtomicBool::new(false));
        let asking = thread::spawn({
            let (url, ended) = (server.url("/v2/models/iris/infer"), Arc::clone(&ended));
            move || {
                let (client, mut seen) = (Client::new(), Vec::new());
                while !ended.load(Ordering::Relaxed) {
                    let (value, version) = ask(&client, &url);
                    assert_eq!(version, format!("job-{value}"));
                    if seen.last() != Some(&version) {
                        seen.push(version);
                    }
                }
                seen
            }
        });
        let begin = Instant::now();
        for number in 2..=4_u8 {
            case.publish(&format!("job-{number}"), f32::from(number));
            while answer(&server).0 < f64::from(number) {
                assert!(
                    begin.elapsed() < Duration::from_secs(60),
                    "{scheme}: {number}"
                );
                thread::sleep(Duration::from_millis(5));
            }
        }
        ended.store(true, Ordering::Relaxed);
        let seen = asking.join().unwrap();
        assert_eq!(seen.last().unwrap(), "job-4");
        let metrics = server.scrape("/metrics").body;
        assert!(metrics.contains("package_version=\"job-4\""), "{metrics}");
        // The former versions have left the cache.
        while case.cached() > 1 {
            assert!(begin.elapsed() < Duration::from_secs(60), "{scheme}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn what_cannot_be_loaded_leaves_the_former_version() {
    let case = Case::new("s3");
    case.publish("job-1", 1.0);
    let mut command = case.command("iris");
    command.args(["--watch", "--registry-poll", "0.05"]);
    let mut server = Server::ready(&mut command);
    let bucket = case.bucket.as_ref().unwrap();
    // The same, and one version more, of which a file gets damaged on the way here.
    let other = Case::new("s3");
    other.publish("job-1", 1.0);
    other.publish("job-2", 2.0);
    let mut graph = None;
    for (path, content) in other.bucket.as_ref().unwrap().objects() {
        if bucket.objects().contains_key(&path) {
            continue;
        }
        match path.ends_with("model.onnx") {
            true => {
                bucket.answer(&path, Answer::Content(b"damaged".to_vec()));
                graph = Some((path, content));
            }
            false => bucket.answer(&path, Answer::Content(content)),
        }
    }
    let line = server.line("cannot switch; the version before still serves");
    let error = line["error"].as_str().unwrap();
    assert!(
        error.contains("model.onnx is damaged: it has 7 bytes"),
        "{line}"
    );
    assert_eq!(answer(&server).1, "job-1");
    let (path, content) = graph.unwrap();
    bucket.answer(&path, Answer::Content(content));
    server.line("loaded");
    while answer(&server).1 != "job-2" {}
}

#[test]
fn what_is_wrong_for_good_ends_the_start() {
    let case = Case::new("s3");
    case.publish("job-1", 1.0);
    let with = |model: &str, more: &[&str]| {
        let mut command = case.command(model);
        command.args(more);
        Case::refused(&mut command)
    };
    for (model, more, word) in [
        (
            "rose",
            &[][..],
            "no model \\\"rose\\\": it has \\\"iris\\\"",
        ),
        ("iris:9", &[], "it has \\\"job-1\\\" (1)"),
        (
            "iris",
            &["--registry", "s3://k:hunter2@b"],
            "credentials belong in the environment",
        ),
        (
            "iris",
            &["--registry", "file:///nowhere"],
            "mkdir -p /nowhere",
        ),
        ("iris", &["--registry", "models"], "it is no URL"),
    ] {
        let error = with(model, more);
        assert!(error.contains(word), "{error}");
    }
    let bucket = case.bucket.as_ref().unwrap();
    let objects = bucket.objects();
    let graph = objects
        .keys()
        .find(|path| path.ends_with("model.onnx"))
        .unwrap();
    bucket.answer(graph, Answer::Content(b"damaged".to_vec()));
    let error = with("iris", &[]);
    assert!(
        error.contains("model.onnx is damaged: it has 7 bytes"),
        "{error}"
    );
    bucket.answer(graph, Answer::Content(objects[graph].clone()));
    Server::ready(&mut case.command("iris"));
}
