//! The mock itself, against the real Python SDK.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use determined::Best;
use determined_mock::{MockMaster, Outcome, PASSWORD, Script, USER};
use serde_json::json;

use crate::python::{self, run};
use crate::support::{client, new_experiment};

/// The last release, and what the reference version of the API is.
const SDK: &str = "determined==0.38.1";

/// A Python with the SDK, made once.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| python::python("determined-sdk", &[SDK]))
}

#[test]
#[ignore = "needs python3 and PyPI"]
fn the_python_sdk_understands_the_mock() {
    let master = MockMaster::start();
    let dir = tempfile::tempdir().unwrap();
    let code = dir.path().join("code");
    fs::create_dir(&code).unwrap();
    fs::write(code.join("train.py"), "print('hi')\n").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/conversation.py");
    let output = run(Command::new(python())
        .arg(script)
        .arg(master.url())
        .arg(&code)
        .arg(dir.path().join("download"))
        // The SDK keeps tokens in the home directory.
        .env_clear()
        .env("HOME", dir.path()));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("the SDK understood everything"), "{text}");
    let world = master.world();
    assert_eq!(
        (world.experiments.len(), world.models[0].versions.len()),
        (2, 4)
    );
    assert_eq!(world.experiments[&1].files[0]["path"], "train.py");
}

/// The SDK's training code against the mock, and what this client sees of it then.
#[tokio::test]
#[ignore = "needs python3 and PyPI"]
async fn the_python_sdk_reports_to_the_mock() {
    let master = MockMaster::start();
    master.world().script = Script::ending(Outcome::Endless);
    let client = client(&master);
    let dir = tempfile::tempdir().unwrap();
    let mut new = new_experiment();
    new.config["checkpoint_storage"] = json!({"type": "directory", "container_path": dir.path()});
    let id = client.create_experiment(&new).await.unwrap().experiment.id;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/trials.py");
    let report = |way: &str, environment: &Command| {
        let mut command = Command::new(python());
        command.args([script, way]).arg(dir.path()).env_clear();
        for (name, value) in environment.get_envs() {
            command.env(name, value.unwrap());
        }
        run(command.env("HOME", dir.path()));
    };
    let context = tempfile::tempdir().unwrap();
    report("task", &master.start_task(id, context.path()));
    master.world().end_task(id, Some(0));
    let mut outside = Command::new("true");
    outside
        .env("DET_MASTER", master.url())
        .env("DET_USER", USER)
        .env("DET_PASS", PASSWORD);
    report("detached", &outside);
    for id in [id, id + 1] {
        let experiment = client.experiment(id).await.unwrap();
        assert_eq!(experiment.state.to_string(), "completed", "{id}");
        let best = client.best_checkpoint(&experiment).await.unwrap();
        let Best::Scored(checkpoint, accuracy) = best else {
            panic!("none is scored")
        };
        assert_eq!((accuracy, checkpoint.resources["model.onnx"]), (0.91, 5));
        let target = dir.path().join(format!("downloaded-{id}"));
        client.download(&checkpoint, &target).await.unwrap();
        assert_eq!(fs::read(target.join("model.onnx")).unwrap(), b"graph");
    }
}
