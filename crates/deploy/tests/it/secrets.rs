//! No secret in anything that leaves the program, except where it belongs.

use std::fs;

use crate::stub::Behaviour;
use crate::support::scene::Scene;

/// A part of every secret of the stub.
const MARK: &str = "VERYSECRET";

#[test]
fn no_secret_in_any_object_log_error_or_file() {
    for target in ["seldon-core", "seldon-deploy", "kserve", "manifest"] {
        let mut scene = Scene::new(target);
        let secret = ["--determined-secret", "pipeline-secret"].map(str::to_owned);
        scene.extra.extend(secret);
        if target == "seldon-deploy" {
            scene
                .extra
                .extend(["--detect-bucket-uri", "gs://bucket"].map(str::to_owned));
        }
        let mut said = Vec::new();
        let mut deploy = |scene: &Scene, version: &str| {
            let mut command = scene.command(version);
            // What a pipeline's secret puts into the environment.
            let command = command
                .env("DET_PASSWORD", "dai-VERYSECRET")
                .env("PAC_TOKEN", "pac-VERYSECRET");
            let output = command.output().unwrap();
            said.push(output.stdout);
            said.push(output.stderr);
        };
        scene.stub.world().reachable = true;
        deploy(&scene, "1");
        scene.behaves("2", Behaviour::NeverReady);
        scene.deadline = "3";
        deploy(&scene, "2");
        scene.stub.world().kubernetes_tokens.clear();
        scene.stub.world().client_secret = "another".to_owned();
        deploy(&scene, "3");
        for text in said {
            let text = String::from_utf8(text).unwrap();
            assert!(!text.contains(MARK), "{target}: {text}");
        }
        for call in &scene.stub.world().log {
            assert!(
                !call.body.contains(MARK) && !call.target.contains(MARK),
                "{target}: {call:?}"
            );
            // Credentials go to those who gave them, and not to the model.
            let apis = ["/apis/", "/api/v1/", "/seldon-deploy/", "/auth/"];
            let to_an_api = apis.iter().any(|api| call.target.starts_with(api));
            let credentials = call.header("authorization");
            assert!(
                to_an_api || credentials.is_empty(),
                "{target}: {}",
                call.target
            );
        }
        let asked = scene
            .stub
            .world()
            .log
            .iter()
            .any(|call| call.target.contains("metadata"));
        assert!(
            asked || target != "seldon-deploy",
            "the model was not asked"
        );
        for file in scene.pfs.out() {
            let text = fs::read_to_string(scene.pfs.path("out").join(&file)).unwrap();
            assert!(!text.contains(MARK), "{target}: {file}");
        }
    }
}

#[test]
fn the_help_does_not_show_the_environment() {
    let scene = Scene::new("seldon-deploy");
    let mut command = scene.command("1");
    let output = command.arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains(MARK), "{text}");
    assert!(text.contains("SEL_SECRET"));
}
