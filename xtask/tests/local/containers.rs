//! The same in containers, with images of the stand-ins.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

use crate::case::{Case, eventually, root};
use crate::jobs::training;

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    text
}

/// Images of the stand-ins, from binaries that a run as processes has compiled.
fn images() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        Case::new("compiled").succeeds(&[]);
        for name in ["train", "deploy", "serve"] {
            let context = root().join("images").join(name);
            fs::create_dir_all(&context).unwrap();
            fs::copy(binary(name), context.join(name)).unwrap();
            let file =
                format!("FROM scratch\nCOPY {name} /\nUSER 8888:0\nENTRYPOINT [\"/{name}\"]\n");
            fs::write(context.join("Dockerfile"), file).unwrap();
            let tag = format!("localhost:5000/stand-in/{name}:0.0.1");
            docker(&["build", "--quiet", "--tag", &tag, context.to_str().unwrap()]);
        }
    });
}

fn binary(name: &str) -> std::path::PathBuf {
    let folders = fs::read_dir(root().join("target")).unwrap();
    let mut binaries = folders.map(|folder| folder.unwrap().path().join("release").join(name));
    binaries.find(|path| path.is_file()).unwrap()
}

fn containers(case: &str) -> usize {
    let filter = format!("name=^{case}-");
    docker(&["ps", "--all", "--quiet", "--filter", &filter])
        .lines()
        .count()
}

#[test]
#[ignore = "needs docker"]
fn a_use_case_runs_in_containers() {
    images();
    let case = Case::new("whole-in-containers");
    let said = case.succeeds(&["--docker"]);
    assert!(said.contains("many\n  many  0.7500"), "{said}");
    assert_eq!(containers("whole-in-containers"), 0);
    let environment = fs::read_to_string(case.files("model").join("environment")).unwrap();
    assert!(environment.contains("PACH_JOB_ID") && !environment.contains("PFS_ROOT"));
    let said = case.succeeds(&["--docker"]);
    assert!(said.contains("unchanged since job"), "{said}");
    // What a container wrote belongs to the caller.
    fs::remove_dir_all(case.state()).unwrap();
}

#[test]
#[ignore = "needs docker and root"]
fn a_container_has_the_user_and_the_secrets_that_it_is_given() {
    images();
    let case = Case::new("user-of-a-container");
    let more = r#", "user": "4321", "secrets": [{"name": "mounted", "mount_path": "/secrets"}]"#;
    let image = "\"localhost:5000/stand-in/train:0.0.1\"";
    let text = training("", more).replace("\"train\"", image);
    case.write("training-pipeline.json", &text);
    let secrets = root().join(".local/secrets");
    fs::create_dir_all(&secrets).unwrap();
    let text = "kind: Secret\nstringData: {token: for-nobody-else}\n";
    fs::write(secrets.join("mounted.yaml"), text).unwrap();
    // A process has neither.
    let said = case.fails(&[]);
    assert!(said.contains("transform.user needs a container"), "{said}");
    let said = case.succeeds(&["--docker"]);
    assert!(!said.contains("for-nobody-else"), "{said}");
    let job = case.jobs("model").remove(0);
    let of = format!("model@{}", job["id"].as_str().unwrap());
    let log = case.ask(&["logs", &of]);
    assert!(log.contains("running as 4321"), "{log}");
    assert!(log.contains("the mounted secret is ***"), "{log}");
    for entry in walkdir::WalkDir::new(case.state()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let text = fs::read_to_string(entry.path()).unwrap();
            assert!(
                !text.contains("for-nobody-else"),
                "{}",
                entry.path().display()
            );
        }
    }
}

#[test]
#[ignore = "needs docker"]
fn a_failing_container_is_told_with_its_log() {
    images();
    let case = Case::new("failing-in-a-container");
    case.mode("fail");
    let said = case.fails(&["--docker"]);
    assert!(said.contains("the target column is missing"), "{said}");
    assert!(said.contains("exit status: 3"), "{said}");
    assert!(case.head("model").is_none());
}

#[test]
#[ignore = "needs docker"]
fn containers_do_not_outlive_the_run() {
    images();
    let case = Case::new("contained-hanging");
    case.mode("hang");
    let mut run = case.start(&["--docker"]);
    eventually("the container", || containers("contained-hanging") == 1);
    run.interrupt();
    assert_eq!(run.child.wait().unwrap().code(), Some(1));
    assert_eq!(containers("contained-hanging"), 0);
    assert_eq!(case.jobs("model")[0]["state"], "JOB_KILLED");

    // SIGKILL gives no chance: the next run ends what is left.
    let mut run = case.start(&["--docker"]);
    eventually("the container", || containers("contained-hanging") == 1);
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    case.mode("ok");
    case.succeeds(&[]);
    assert_eq!(containers("contained-hanging"), 0);
}

#[test]
#[ignore = "needs docker"]
fn a_missing_image_is_refused_before_anything_runs() {
    let case = Case::new("imageless");
    let path = Path::new("training-pipeline.json");
    let text = case.read(path).replace("train:0.0.1", "train:9.9.9");
    case.write("training-pipeline.json", &text);
    let said = case.fails(&["--docker"]);
    assert!(said.contains("cargo xtask images"), "{said}");
    assert!(case.head("data").is_none());
}
