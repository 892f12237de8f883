//! Several models, and how they come and go.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::client::{Client, Reply};
use crate::support::eventually;
use crate::support::grpc::Caller;
use crate::support::package::write;
use crate::support::proto::inference as pb;
use crate::support::server::{Server, bare, command};

const ONE: &str = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#;
const SELDON: &str = r#"{"data":{"ndarray":[[1]]}}"#;

/// What a model makes of 1, and its version.
fn answer(reply: &Reply) -> (f64, String) {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    let version = body["model_version"].as_str().unwrap().to_owned();
    (body["outputs"][0]["data"][0].as_f64().unwrap(), version)
}

fn ask(server: &Server, model: &str) -> (f64, String) {
    answer(&server.post(&format!("/v2/models/{model}/infer"), ONE))
}

fn is(value: f64, version: &str) -> (f64, String) {
    (value, version.to_owned())
}

fn index(server: &Server) -> Vec<(String, String, String)> {
    let reply = server.post("/v2/repository/index", "");
    let all: Vec<Value> = serde_json::from_str(&reply.body).unwrap();
    let text = |model: &Value, key: &str| model[key].as_str().unwrap().to_owned();
    let of = |m: &Value| (text(m, "name"), text(m, "version"), text(m, "state"));
    all.iter().map(of).collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn start(root: &Path, more: &[&str]) -> Server {
    Server::ready(command(root.to_str().unwrap()).args(more))
}

#[test]
fn several_models_each_by_name_and_version() {
    let root = folder();
    write(&root.path().join("a/9"), "a", "v9", 9.0);
    write(&root.path().join("a/10"), "a", "v10", 10.0);
    write(&root.path().join("b"), "b", "v1", 2.0);
    let broken = root.path().join("c");
    write(&broken, "c", "v1", 2.0);
    fs::write(broken.join("model.onnx"), "damaged").unwrap();
    let server = start(root.path(), &[]);
    assert_eq!(ask(&server, "a"), is(10.0, "v10"), "the last folder");
    assert_eq!(ask(&server, "a/versions/v9"), is(9.0, "v9"));
    assert_eq!(ask(&server, "b"), is(2.0, "v1"));
    let missing = server.post("/v2/models/a/versions/v1/infer", ONE);
    assert_eq!(missing.status, 404);
    assert!(
        missing.body.contains(r#"this server has \"v10\", \"v9\""#),
        "{}",
        missing.body
    );
    let missing = server.post("/v2/models/z/infer", ONE);
    assert!(
        missing
            .body
            .contains(r#"this server has \"a\", \"b\", \"c\""#),
        "{}",
        missing.body
    );
    let failed = server.post("/v2/models/c/infer", ONE);
    assert_eq!(failed.status, 503);
    assert!(
        failed.body.contains("model.onnx is damaged"),
        "{}",
        failed.body
    );
    assert_eq!(server.get("/v2/models/c/ready").status, 503);
    let states: Vec<_> = index(&server)
        .into_iter()
        .map(|(n, _, s)| n + " " + &s)
        .collect();
    assert_eq!(states, ["a READY", "a READY", "b READY", "c UNAVAILABLE"]);
    let unclear = server.post("/api/v1.0/predictions", SELDON);
    assert_eq!(unclear.status, 404);
    assert!(
        unclear.body.contains("set the parameter model_name"),
        "{}",
        unclear.body
    );

    let parameters = r#"[{"name":"model_name","value":"b","type":"STRING"}]"#;
    let mut command = command(root.path().to_str().unwrap());
    let server = Server::ready(command.env("PREDICTIVE_UNIT_PARAMETERS", parameters));
    let reply = server.post("/api/v1.0/predictions", SELDON);
    assert!(reply.body.contains("[[2.0]]"), "{}", reply.body);
    let metrics = server.scrape("/metrics").body;
    for line in [
        r#"package="a",package_digest="#,
        r#"package="b",package_digest="#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn loading_and_unloading_as_seldon_core_2_does() {
    let root = folder();
    let mut command = bare();
    command.env("MLSERVER_MODELS_DIR", root.path().join("models"));
    command.env("MLSERVER_LOAD_MODELS_AT_STARTUP", "false");
    let server = Server::ready(&mut command);
    assert_eq!(server.get("/v2/health/ready").status, 200);
    assert_eq!(index(&server), []);
    let caller = Caller::new(&server.grpc);
    let mut client = caller.oip();
    let mut load = |name: &str| {
        let model_name = name.to_owned();
        let request = pb::RepositoryModelLoadRequest {
            model_name,
            ..Default::default()
        };
        caller.wait(client.repository_model_load(request)).map(drop)
    };
    assert_eq!(load("iris_1").unwrap_err().code(), tonic::Code::NotFound);
    let place = root.path().join("models/iris_1");
    write(&place.join("1"), "iris", "v1", 3.0);
    fs::write(
        place.join("1").join("model-settings.json"),
        r#"{"name": "iris_1"}"#,
    )
    .unwrap();
    // The agent's file lies beside the package's own, which does not name it.
    load("iris_1").unwrap();
    assert_eq!(ask(&server, "iris_1"), is(3.0, "v1"));
    assert_eq!(server.post("/v2/models/iris/infer", ONE).status, 404);
    let done = server.post("/v2/repository/models/iris_1/unload", "");
    assert_eq!((done.status, done.body.as_str()), (200, ""));
    let gone = server.post("/v2/models/iris_1/infer", ONE);
    assert_eq!(gone.status, 503);
    assert!(
        gone.body.contains("/v2/repository/models/iris_1/load"),
        "{}",
        gone.body
    );
    let done = server.post("/v2/repository/models/iris_1/load", "");
    assert_eq!((done.status, done.body.as_str()), (200, ""));
    assert_eq!(ask(&server, "iris_1"), is(3.0, "v1"));
    assert_eq!(
        server.post("/v2/repository/models/no/unload", "").status,
        404
    );
    assert_eq!(server.post("/v2/repository/models/no/load", "").status, 404);
}

#[test]
fn the_containers_name_loads_what_it_unloads() {
    let root = folder();
    write(&root.path().join("m"), "m", "1", 3.0);
    let models = root.path().to_str().unwrap().to_owned();
    let repository = |call: &str| format!("/v2/repository/models/node1/{call}");
    for at_start in ["true", "false"] {
        let mut command = command(&models);
        command.env("PREDICTIVE_UNIT_ID", "node1");
        let server = Server::ready(command.args(["--load-at-start", at_start]));
        assert_eq!(server.post(&repository("unload"), "").status, 200);
        assert_eq!(server.post("/v2/models/node1/infer", ONE).status, 503);
        let done = server.post(&repository("load"), "");
        assert_eq!(done.status, 200, "{}", done.body);
        assert_eq!(ask(&server, "node1"), is(3.0, "1"));
        assert_eq!(ask(&server, "m"), is(3.0, "1"));
    }
}

/// Whether the paths of Seldon say that the server is ready, and what says that of
/// the server without a model.
fn says_ready(server: &Server, caller: &Caller) -> (bool, bool) {
    let is_ready = |path: &str| {
        let reply = server.get(path);
        assert!([200, 503].contains(&reply.status), "{path}: {}", reply.body);
        if reply.status == 503 && path != "/ready" {
            assert!(reply.body.contains("MICROSERVICE_UNAVAILABLE"), "{path}");
        }
        reply.status == 200
    };
    let serves = |service: &str| {
        let mut client = HealthClient::new(caller.channel.clone());
        let service = service.to_owned();
        let answer = caller.wait(client.check(HealthCheckRequest { service }));
        answer.unwrap().into_inner().status == 1
    };
    let seldon = is_ready("/health/status");
    for path in [
        "/ready",
        "/api/v1.0/health/status",
        "/api/v1.0/status/node1",
    ] {
        assert_eq!(is_ready(path), seldon, "{path}");
    }
    for service in ["seldon.protos.Model", "seldon.protos.Seldon"] {
        eventually(|| serves(service) == seldon);
    }
    let server = server.get("/v2/health/ready").status == 200;
    for service in ["", "inference.GRPCInferenceService"] {
        assert_eq!(serves(service), server, "{service}");
    }
    (seldon, server)
}

#[test]
fn without_a_model_seldon_is_told_to_wait_and_core_2_is_not() {
    let root = folder();
    write(&root.path().join("m"), "m", "1", 3.0);
    let mut command = command(root.path().to_str().unwrap());
    command.env("PREDICTIVE_UNIT_ID", "node1");
    let server = Server::ready(command.args(["--load-at-start", "false"]));
    let caller = Caller::new(&server.grpc);
    assert_eq!(says_ready(&server, &caller), (false, true));
    let refused = server.post("/api/v1.0/predictions", SELDON);
    assert_eq!(refused.status, 503);
    assert!(
        refused.body.contains("/v2/repository/models/NAME/load"),
        "{}",
        refused.body
    );
    for (call, ready) in [("load", true), ("unload", false), ("load", true)] {
        server.post(&format!("/v2/repository/models/m/{call}"), "");
        assert_eq!(says_ready(&server, &caller), (ready, true), "{call}");
    }
}

#[test]
fn several_models_are_ready_also_where_none_is_chosen() {
    let root = folder();
    write(&root.path().join("a"), "a", "1", 1.0);
    write(&root.path().join("b"), "b", "1", 2.0);
    let server = start(root.path(), &[]);
    for (model, status) in [("a", 200), ("b", 503)] {
        assert_eq!(server.get("/health/status").status, 200);
        server.post(&format!("/v2/repository/models/{model}/unload"), "");
        assert_eq!(server.get("/health/status").status, status, "{model}");
    }
}

/// Puts a package in the place of another, as a volume's driver or train does.
fn replace(place: &Path, version: &str, factor: f32) {
    let aside = place.with_extension("aside");
    let old = place.with_extension("old");
    write(&aside, "m", version, factor);
    fs::rename(place, &old).unwrap();
    fs::rename(&aside, place).unwrap();
    fs::remove_dir_all(old).unwrap();
}

#[test]
fn a_watched_package_is_exchanged_without_a_refused_or_mixed_answer() {
    let root = folder();
    let place = root.path().join("m");
    write(&place, "m", "1", 1.0);
    let server = start(&place, &["--watch"]);
    let done = Arc::new(AtomicBool::new(false));
    let url = server.url("/v2/models/m/infer");
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (done, url) = (Arc::clone(&done), url.clone());
            thread::spawn(move || {
                let client = Client::new();
                let mut count = 0;
                while !done.load(Ordering::SeqCst) {
                    let (value, version) = answer(&client.post(&url, "application/json", ONE));
                    assert_eq!(value.to_string(), version, "a mixed answer");
                    count += 1;
                }
                count
            })
        })
        .collect();
    for factor in [2.0, 3.0] {
        let version = factor.to_string();
        replace(&place, &version, factor);
        eventually(|| ask(&server, "m") == is(factor.into(), &version));
    }
    done.store(true, Ordering::SeqCst);
    let answered: usize = clients.into_iter().map(|c| c.join().unwrap()).sum();
    assert!(answered > 100, "{answered}");
    let metrics = server.scrape("/metrics").body;
    let is_info = |line: &&str| line.starts_with("serve_model_info{");
    let info: Vec<&str> = metrics.lines().filter(is_info).collect();
    assert_eq!(info.len(), 1, "{info:?}");
    assert!(info[0].contains(r#"package_version="3""#), "{info:?}");
}

#[test]
fn a_bad_package_leaves_the_old_one_and_says_why() {
    let root = folder();
    let place = root.path().join("m");
    write(&place, "m", "1", 1.0);
    let mut server = start(&place, &["--watch"]);
    let graph = fs::read(place.join("model.onnx")).unwrap();
    fs::write(place.join("model.onnx"), "damaged").unwrap();
    let line = server.line("cannot load; the one before still serves");
    assert!(
        line["error"]
            .as_str()
            .unwrap()
            .contains("model.onnx is damaged"),
        "{line}"
    );
    assert_eq!(ask(&server, "m"), is(1.0, "1"));
    let reply = server.post("/v2/repository/index", "");
    assert!(
        reply.body.contains("model.onnx is damaged"),
        "{}",
        reply.body
    );
    let refused = server.post("/v2/repository/models/m/load", "");
    assert_eq!(refused.status, 400);
    assert!(
        refused.body.contains("model.onnx is damaged"),
        "{}",
        refused.body
    );
    fs::write(place.join("model.onnx"), graph).unwrap();
    server.line("loaded");
    eventually(|| {
        !server
            .post("/v2/repository/index", "")
            .body
            .contains("damaged")
    });
}

#[test]
fn packages_come_and_go_in_a_watched_folder() {
    let root = folder();
    write(&root.path().join("a"), "a", "1", 1.0);
    let server = start(root.path(), &["--watch"]);
    let place = root.path().join("b");
    // As a slow copy does it: the description first, the graph later.
    let aside = folder();
    write(&aside.path().join("b"), "b", "1", 2.0);
    fs::create_dir(&place).unwrap();
    for file in ["model.json", "model.onnx"] {
        fs::copy(aside.path().join("b").join(file), place.join(file)).unwrap();
        thread::sleep(Duration::from_millis(300));
    }
    eventually(|| server.post("/v2/models/b/infer", ONE).status == 200);
    assert_eq!(ask(&server, "b"), is(2.0, "1"));
    fs::remove_dir_all(&place).unwrap();
    eventually(|| server.post("/v2/models/b/infer", ONE).status == 404);
    assert_eq!(ask(&server, "a"), is(1.0, "1"));
}

#[test]
fn a_package_that_is_not_the_one_asked_for_is_no_update() {
    let root = folder();
    let place = root.path().join("m");
    write(&place, "m", "1", 1.0);
    let parameters = json!([{"name": "model_version", "value": "1", "type": "STRING"}]);
    let mut command = command(place.to_str().unwrap());
    command.env("PREDICTIVE_UNIT_PARAMETERS", parameters.to_string());
    let mut server = Server::ready(command.arg("--watch"));
    replace(&place, "2", 2.0);
    let line = server.line("cannot load; the one before still serves");
    let reason = line["error"].as_str().unwrap();
    assert!(reason.contains("model_version asks for \"1\""), "{reason}");
    assert_eq!(ask(&server, "m"), is(1.0, "1"));
}
