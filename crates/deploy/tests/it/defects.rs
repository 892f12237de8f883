//! The nine defects of the program that deploy replaces, each of which has to
//! fail here if it comes back.

use std::time::Duration;

use axum::http::Method;
use serde_json::Value;

use crate::rollout::LIVE;
use crate::stub::{Answer, Behaviour, Rule};
use crate::support::scene::Scene;
use crate::support::stderr;
use crate::support::tls::Tls;

fn detecting(scene: &mut Scene) {
    let options = ["--detect-bucket-uri", "gs://bucket/models"];
    scene.extra.extend(options.map(str::to_owned));
}

/// The spec that is live, as JSON.
fn spec(scene: &Scene) -> Value {
    scene.stub.world().objects[scene.key()].object["spec"].clone()
}

fn deletes(scene: &Scene) -> usize {
    let world = scene.stub.world();
    world
        .log
        .iter()
        .filter(|call| call.method == "DELETE")
        .count()
}

#[test]
fn it_deleted_and_created_anew() {
    for target in LIVE {
        let mut scene = Scene::new(target);
        scene.succeeds("1");
        scene.succeeds("2");
        scene.behaves("3", Behaviour::Invalid);
        scene.deadline = "3";
        scene.fails("3", &["version 2 is back in service"]);
        assert_eq!((deletes(&scene), scene.gaps()), (0, 0), "{target}");
    }
}

#[test]
fn it_waited_for_ever() {
    let mut scene = Scene::new("seldon-deploy");
    scene.deadline = "2";
    scene.behaves("1", Behaviour::Invalid);
    scene.fails("1", &["the operator says Failed", "next: "]);
    scene.behaves("2", Behaviour::NeverReady);
    // The margin of ten looks is in it.
    scene.fails("2", &["not done after 3 s"]);
}

#[test]
fn it_took_an_error_while_waiting_for_success_and_kept_its_token() {
    let scene = Scene::new("seldon-deploy");
    scene.succeeds("1");
    scene.behaves("2", Behaviour::Good(2500));
    scene.stub.world().token_life = Duration::from_secs(1);
    let rule = Rule {
        method: Method::GET,
        path: "seldondeployments/iris",
        skip: 3,
        times: 3,
        answer: Answer::Status(500, "etcdserver: request timed out"),
    };
    scene.stub.world().rules.0.push(rule);
    let before = scene.stub.world().platform_tokens.len();
    let output = scene.succeeds("2");
    assert!(
        stderr(&output).contains("looking again"),
        "{}",
        stderr(&output)
    );
    assert_eq!(scene.settled("2"), ["2"]);
    let world = scene.stub.world();
    assert!(
        world.platform_tokens.len() >= before + 3,
        "the token was not renewed"
    );
}

#[test]
fn it_ended_with_0_whatever_happened() {
    for target in LIVE {
        let scene = Scene::new(target);
        {
            let mut world = scene.stub.world();
            world.client_secret = "another".to_owned();
            world.kubernetes_tokens.clear();
        }
        // `fails` wants the exit status 1.
        scene.fails(
            "1",
            &["the credentials are not accepted", "nothing was changed"],
        );
    }
}

#[test]
fn it_did_not_verify_certificates() {
    let scene = Scene::new("seldon-deploy");
    let tls = Tls::before(scene.stub.address);
    scene.stub.world().public_url = tls.url();
    let deploy = |extra: &[&str]| {
        let mut command = scene.command("1");
        command.env("SEL_URL", tls.url()).args(extra);
        command.output().unwrap()
    };
    let output = deploy(&[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("UnknownIssuer") && said.contains("--ca-file"),
        "{said}"
    );
    assert!(scene.stub.world().log.is_empty(), "something was sent");
    std::fs::write(scene.pfs.path("ca.pem"), tls.authority()).unwrap();
    let ca_file = scene.pfs.path("ca.pem");
    let output = deploy(&["--ca-file", ca_file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    // The same again: nothing to do, but asked for.
    let output = deploy(&["--insecure"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn it_wrote_credentials_into_the_resource() {
    let mut scene = Scene::new("seldon-core");
    scene.extra = ["--determined-secret", "pipeline-secret"]
        .map(str::to_owned)
        .to_vec();
    scene.succeeds("1");
    let spec = spec(&scene);
    let names: Vec<&str> = spec["predictors"][0]["graph"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["model_name", "model_version"]);
    let container = &spec["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0];
    for (name, key) in [
        ("DET_MASTER", "det_master"),
        ("DET_USER", "det_user"),
        ("DET_PASSWORD", "det_password"),
    ] {
        let variable = container["env"].as_array().unwrap();
        let variable = variable.iter().find(|v| v["name"] == name).unwrap();
        assert_eq!(variable.get("value"), None);
        let reference = &variable["valueFrom"]["secretKeyRef"];
        assert_eq!(
            (&reference["name"], &reference["key"]),
            (&"pipeline-secret".into(), &key.into())
        );
    }
}

#[test]
fn an_all_digit_version_became_a_number() {
    for (target, path) in [
        (
            "seldon-core",
            "/predictors/0/componentSpecs/0/spec/containers/0/env",
        ),
        ("kserve", "/predictor/containers/0/env"),
    ] {
        let scene = Scene::new(target);
        scene.succeeds("20260101");
        let spec = spec(&scene);
        let env = spec.pointer(path).unwrap().as_array().unwrap();
        let metadata = env.iter().find(|v| v["name"] == "MODEL_METADATA").unwrap();
        // As those read it who take it for YAML.
        let metadata: Value = serde_saphyr::from_str(metadata["value"].as_str().unwrap()).unwrap();
        assert_eq!(metadata["versions"][0], Value::from("20260101"), "{target}");
    }
}

#[test]
fn detectors_of_different_versions_had_one_name() {
    let model_name = |scene: &Scene| {
        let world = scene.stub.world();
        world.detectors["iris/drift-detector/iris"]["config"]["deployment"]["model_name"].clone()
    };
    let mut scene = Scene::new("seldon-deploy");
    detecting(&mut scene);
    scene.succeeds("2c0d5a3c8e5f");
    assert_eq!(model_name(&scene), "2c0d5", "as existing dashboards expect");
    scene
        .extra
        .extend(["--detect-model-name", "iris-2c0d5a3c8e5f"].map(str::to_owned));
    scene.succeeds("2c0d5a3c8e5f");
    assert_eq!(model_name(&scene), "iris-2c0d5a3c8e5f");
}

#[test]
fn detectors_got_no_events() {
    let mut scene = Scene::new("seldon-deploy");
    scene.succeeds("1");
    assert_eq!(spec(&scene)["predictors"][0]["graph"].get("logger"), None);
    detecting(&mut scene);
    scene.succeeds("1");
    assert_eq!(
        spec(&scene)["predictors"][0]["graph"]["logger"]["mode"],
        "all"
    );
}
