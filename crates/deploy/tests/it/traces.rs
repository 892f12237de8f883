//! What deploy sends to Seldon Deploy, against recordings of the public client.

use std::fs;

use serde_json::Value;

use crate::stub::World;
use crate::support::scene::Scene;

/// The requests of the recorded scenes of these names, of the newest client.
fn recorded(scenes: &[&str]) -> Vec<Value> {
    let path = std::env::var_os("SELDON_TRACES").expect("set SELDON_TRACES to the recordings");
    let traces: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let all = traces["clients"]["2.4.0"].as_array().unwrap();
    let named = all
        .iter()
        .filter(|scene| scenes.contains(&scene["name"].as_str().unwrap()));
    let exchanges = named.flat_map(|scene| scene["exchanges"].as_array().unwrap());
    exchanges
        .map(|exchange| exchange["request"].clone())
        .collect()
}

/// The body that deploy sent with this method to this path, last.
fn sent(world: &World, method: &str, path: &str) -> Option<(Value, Vec<String>)> {
    let call = world
        .log
        .iter()
        .rev()
        .find(|call| call.method == method && call.target == path)?;
    let body = serde_json::from_str(&call.body).unwrap_or_else(|_| Value::from(call.body.clone()));
    let headers = ["accept", "content-type", "authorization"];
    Some((
        body,
        headers.map(|name| call.header(name).to_owned()).to_vec(),
    ))
}

fn scene() -> Scene {
    let mut scene = Scene::new("seldon-deploy");
    scene.name = "dogcat-deploy";
    scene.stub.world().client_secret = "sd-api-secret".to_owned();
    scene.extra = [
        "--detect-bucket-uri",
        "gs://determined-seldon-detector/seldon",
        "--detect-batch-size",
        "4",
    ]
    .map(str::to_owned)
    .to_vec();
    scene
}

fn deploy(scene: &Scene, version: &str) {
    let mut command = scene.command(version);
    let command = command.env("SEL_SECRET", "sd-api-secret");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        crate::support::stderr(&output)
    );
}

#[test]
#[ignore = "needs the recordings: set SELDON_TRACES"]
fn token_requests_are_those_of_the_public_client() {
    let scene = scene();
    deploy(&scene, "2c0d5a3c8e5f4a0e9b1f");
    let world = scene.stub.world();
    for request in recorded(&["auth-client-credentials-id-token"]) {
        let (method, path) = (
            request["method"].as_str().unwrap(),
            request["path"].as_str().unwrap(),
        );
        let (body, headers) =
            sent(&world, method, path).unwrap_or_else(|| panic!("no {method} {path}"));
        if method == "POST" {
            assert_eq!(body, request["body"]);
            let recorded = ["Accept", "Content-Type", "Authorization"];
            let recorded =
                recorded.map(|name| request["headers"][name].as_str().unwrap().to_owned());
            assert_eq!(headers, recorded);
        }
    }
}

#[test]
#[ignore = "needs the recordings: set SELDON_TRACES"]
fn detector_requests_are_those_of_the_public_client() {
    let scene = scene();
    deploy(&scene, "2c0d5a3c8e5f4a0e9b1f");
    let world = scene.stub.world();
    let posts = recorded(&["drift-first-time", "outlier-first-time"]);
    let posts: Vec<&Value> = posts
        .iter()
        .filter(|request| request["method"] == "POST")
        .collect();
    assert_eq!(posts.len(), 2);
    for request in posts {
        let path = request["path"].as_str().unwrap();
        let (body, headers) =
            sent(&world, "POST", path).unwrap_or_else(|| panic!("no POST {path}"));
        assert_eq!(body, request["body"], "{path}");
        assert_eq!(headers[0], request["headers"]["Accept"].as_str().unwrap());
        assert_eq!(
            headers[1],
            request["headers"]["Content-Type"].as_str().unwrap()
        );
    }
}

#[test]
#[ignore = "needs the recordings: set SELDON_TRACES"]
fn deployment_requests_go_where_the_public_client_sends_them() {
    let scene = scene();
    deploy(&scene, "1");
    deploy(&scene, "2");
    let world = scene.stub.world();
    // What the public client does by delete and create is one PUT here.
    let requests = recorded(&["deploy-first-time", "update", "wait"]);
    for request in requests
        .iter()
        .filter(|request| request["method"] != "DELETE")
    {
        let (method, path) = (
            request["method"].as_str().unwrap(),
            request["path"].as_str().unwrap(),
        );
        let (body, headers) =
            sent(&world, method, path).unwrap_or_else(|| panic!("no {method} {path}"));
        assert!(headers[2].starts_with("Bearer "));
        for pointer in [
            "/apiVersion",
            "/kind",
            "/metadata/name",
            "/metadata/namespace",
        ] {
            assert_eq!(
                body.pointer(pointer),
                request["body"].pointer(pointer),
                "{method} {pointer}"
            );
        }
    }
    let deletes = world.log.iter().filter(|call| call.method == "DELETE");
    let of_deployments = deletes.filter(|call| !call.target.contains("/monitor/"));
    assert_eq!(of_deployments.count(), 0);
}

/// The check of the stub itself: what it demands and answers is what the public
/// client sends and understands.
#[test]
#[ignore = "needs seldon-deploy-sdk 2.4.0: set SELDON_SDK_PYTHON to a python that has it"]
fn the_public_client_works_against_the_stub() {
    let python = std::env::var_os("SELDON_SDK_PYTHON").expect("set SELDON_SDK_PYTHON");
    for (missing_code, id_token) in [(404, true), (400, false)] {
        let stub = crate::stub::Stub::start();
        {
            let mut world = stub.world();
            world.client_secret = "sd-api-secret".to_owned();
            world.missing_code = missing_code;
            world.id_token = id_token;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sdk.py");
        let mut command = std::process::Command::new(&python);
        let output = command.arg(script).arg(stub.url()).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            crate::support::stderr(&output)
        );
        compare_with_the_recordings(&stub.world());
    }
}

/// Every request of the public client is one that was recorded, in method, path
/// and headers, when the recordings are at hand.
fn compare_with_the_recordings(world: &World) {
    if std::env::var_os("SELDON_TRACES").is_none() {
        return;
    }
    let scenes = [
        "auth-client-credentials",
        "deploy-first-time",
        "drift-first-time",
        "outlier-first-time",
        "wait",
        "update",
        "list",
        "drift-list",
        "outlier-list",
        "drift-read",
        "delete",
    ];
    let recorded = recorded(&scenes);
    for call in &world.log {
        let same = |request: &&Value| {
            request["method"] == call.method.as_str() && request["path"] == call.target.as_str()
        };
        let request = recorded.iter().find(same);
        let request =
            request.unwrap_or_else(|| panic!("not recorded: {} {}", call.method, call.target));
        let recorded = request["headers"]["Content-Type"]
            .as_str()
            .unwrap_or_default();
        assert_eq!(
            call.header("content-type"),
            recorded,
            "{} {}",
            call.method,
            call.target
        );
    }
}
