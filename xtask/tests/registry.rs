//! `cargo xtask images --push` with the real docker and a real registry, with
//! and without login, and with a proxy between that makes trouble.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "registry/login.rs"]
mod login;
#[path = "registry/server.rs"]
mod server;
#[path = "images/support.rs"]
mod support;
#[path = "registry/tokens.rs"]
mod tokens;

use server::{Proxy, Registry, Trouble};
use support::{Fixture, fail, succeed, talk};

const NAMES: [&str; 3] = ["train", "deploy", "serve"];

fn json(command: Command) -> Value {
    let output = succeed(command);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn each(document: &Value, key: &str) -> Vec<Value> {
    let images = document["images"].as_array().unwrap();
    images.iter().map(|image| image[key].clone()).collect()
}

fn docker(words: &[&str]) -> Output {
    Command::new("docker").args(words).output().unwrap()
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn a_version_is_published_once_and_for_all() {
    let registry = Registry::open();
    let fixture = Fixture::new(&NAMES, &registry.host());
    let first = json(fixture.xtask("images --push --json"));
    assert_eq!(each(&first, "pushed"), [true, true, true]);
    for (name, digest) in NAMES.iter().zip(each(&first, "digest")) {
        assert_eq!(registry.digest(name, "0.0.1").as_deref(), digest.as_str());
    }
    let again = json(fixture.xtask("images --push --json"));
    assert_eq!(each(&again, "pushed"), [false, false, false]);
    assert_eq!(each(&again, "digest"), each(&first, "digest"));

    // Another commit with the same content has nothing to push either.
    fs::write(fixture.root().join("README.md"), "x").unwrap();
    fixture.commit();
    fs::remove_dir_all(fixture.root().join("target")).unwrap();
    let rebuilt = json(fixture.xtask("images --push --json"));
    assert_eq!(each(&rebuilt, "pushed"), [false, false, false]);

    // Other content under the same version is refused, before anything is pushed.
    fixture.edit("crates/serve/src/main.rs", "> 9", "> 8");
    fixture.commit();
    let said = fail(fixture.xtask("images --push"));
    assert!(
        said.contains("serve 0.0.1 is already published with other content"),
        "{said}"
    );
    assert!(said.contains("cargo xtask bump serve"), "{said}");
    assert_eq!(
        registry.digest("serve", "0.0.1").as_deref(),
        each(&first, "digest")[2].as_str()
    );

    // What the message says to do helps; an uncommitted file does not.
    succeed(fixture.xtask("bump --changed"));
    let said = fail(fixture.xtask("images --push"));
    assert!(said.contains("differs from the last commit"), "{said}");
    fixture.commit();
    let bumped = json(fixture.xtask("images --push --json"));
    assert_eq!(each(&bumped, "version"), ["0.0.1", "0.0.1", "0.0.2"]);
    assert_eq!(each(&bumped, "pushed"), [false, false, true]);
    succeed(fixture.xtask("check --registry-check"));
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn the_same_commit_in_two_folders_is_the_same_image() {
    let fixture = Fixture::new(&["serve"], "localhost:5000");
    let other = tempfile::tempdir().unwrap();
    let other = other.path().join("some/where else");
    fixture.lay(&other);
    let one = json(fixture.xtask("images --json"));
    let two = json(fixture.xtask_in(&other, "images --json"));
    assert_eq!(each(&two, "outcome"), ["built"]);
    assert_eq!(each(&one, "id"), each(&two, "id"));
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn the_image_is_what_the_contract_says() {
    let fixture = Fixture::new(&["serve"], "localhost:5000");
    let document = json(fixture.xtask("images --json"));
    let id = document["images"][0]["id"].as_str().unwrap();
    let inspected = docker(&["image", "inspect", id]);
    let inspected: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let config = &inspected[0]["Config"];
    assert_eq!(config["User"], "8888:0");
    assert_eq!(config["Entrypoint"][0], "/serve");
    let labels = &config["Labels"];
    for (key, value) in [
        ("title", "serve"),
        ("version", "0.0.1"),
        ("licenses", "MIT"),
        ("created", "2026-01-02T03:04:05Z"),
    ] {
        assert_eq!(labels[format!("org.opencontainers.image.{key}")], value);
    }
    assert_eq!(
        labels["org.opencontainers.image.revision"]
            .as_str()
            .unwrap()
            .len(),
        40
    );
    assert!(
        inspected[0]["Created"]
            .as_str()
            .unwrap()
            .starts_with("2026-01-02T03:04:05")
    );
    for user in ["0", "1000:1000", "65534"] {
        let words = [
            "run",
            "--rm",
            "--read-only",
            "--cap-drop=ALL",
            "--user",
            user,
            id,
            "--version",
        ];
        let output = docker(&words);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "serve 0.0.1\n",
            "{user}"
        );
    }
    let shell = docker(&["run", "--rm", "--entrypoint", "/bin/sh", id]);
    assert!(!shell.status.success());
    // A scanner finds the dependencies in the program.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("serve");
    let container = String::from_utf8(docker(&["create", id]).stdout).unwrap();
    let from = format!("{}:/serve", container.trim());
    assert!(
        docker(&["cp", &from, program.to_str().unwrap()])
            .status
            .success()
    );
    docker(&["rm", container.trim()]);
    let limits = auditable_info::Limits::default();
    let info = auditable_info::audit_info_from_file(&program, limits).unwrap();
    let names: Vec<&str> = info
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(names, ["serve", "shared"]);
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn no_answer_is_never_a_free_tag() {
    let registry = Registry::open();
    let proxy = Proxy::before(&registry);
    let fixture = Fixture::new(&["serve"], &proxy.host());
    succeed(fixture.xtask("images"));
    for (trouble, words) in [
        (Trouble::Status(500), "in trouble"),
        (Trouble::Status(403), "docker login"),
        (Trouble::Status(404), "no answer of a registry"),
        (Trouble::Status(429), "quota"),
        (Trouble::Cut, "does not mean that a tag is free"),
    ] {
        proxy.make(Some((trouble, "GET /v2/acme")));
        let said = fail(fixture.xtask("images --push"));
        assert!(said.contains(words), "{trouble:?}: {said}");
        assert!(!said.contains("Pushing"), "{trouble:?}: {said}");
        assert_eq!(registry.digest("serve", "0.0.1"), None);
    }
    proxy.make(None);
    succeed(fixture.xtask("images --push"));
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn half_a_push_is_finished_by_the_next_run() {
    let registry = Registry::open();
    let proxy = Proxy::before(&registry);
    let fixture = Fixture::new(&NAMES, &proxy.host());
    succeed(fixture.xtask("images"));
    for (trouble, path) in [
        (Trouble::Status(403), "POST /v2/acme/deploy/blobs"),
        (Trouble::Status(429), "PUT /v2/acme/deploy/manifests"),
        (Trouble::Cut, "PUT /v2/acme/deploy/manifests"),
        (Trouble::Status(500), "PUT /v2/acme/deploy/manifests"),
    ] {
        proxy.make(Some((trouble, path)));
        let said = fail(fixture.xtask("images --push --timeout 30"));
        assert!(
            said.contains("of 3 images in the registry; run the same command again"),
            "{said}"
        );
        assert_eq!(registry.digest("deploy", "0.0.1"), None, "{trouble:?}");
    }
    proxy.make(None);
    let document = json(fixture.xtask("images --push --json"));
    assert_eq!(each(&document, "pushed"), [false, true, true]);
    for name in NAMES {
        assert!(registry.digest(name, "0.0.1").is_some(), "{name}");
    }
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn a_push_that_hangs_is_stopped() {
    let registry = Registry::open();
    let proxy = Proxy::before(&registry);
    let fixture = Fixture::new(&["serve"], &proxy.host());
    succeed(fixture.xtask("images"));
    proxy.make(Some((Trouble::Hang, "PUT /v2/acme/serve/manifests")));
    let start = Instant::now();
    let said = fail(fixture.xtask("images --push --timeout 4"));
    assert!(said.contains("did not end within 4 s"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(30));
    proxy.make(None);
    succeed(fixture.xtask("images --push"));
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn ctrl_c_in_a_push_is_told_and_the_next_run_goes_on() {
    let registry = Registry::open();
    let proxy = Proxy::before(&registry);
    let fixture = Fixture::new(&["serve"], &proxy.host());
    succeed(fixture.xtask("images"));
    proxy.make(Some((Trouble::Hang, "PUT /v2/acme/serve/manifests")));
    let mut command = fixture.xtask("images --push");
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    proxy.wait_for_trouble();
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains("was interrupted; run the same command again"));
    assert_eq!(registry.digest("serve", "0.0.1"), None);
    proxy.make(None);
    succeed(fixture.xtask("images --push"));
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn a_registry_that_is_down_is_told() {
    let registry = Registry::open();
    let host = registry.host();
    drop(registry);
    let fixture = Fixture::new(&["serve"], &host);
    let said = fail(fixture.xtask("images --push"));
    assert!(
        said.contains("does not answer, which does not mean that a tag is free"),
        "{said}"
    );
    let said = fail(fixture.xtask("check --registry-check"));
    assert!(said.contains("does not answer"), "{said}");
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn an_image_that_a_pipeline_names_and_nobody_published_is_found() {
    let registry = Registry::open();
    let fixture = Fixture::new(&["serve"], &registry.host());
    let said = fail(fixture.xtask("check --registry-check"));
    assert!(
        said.contains("serve-pipeline.json:1: transform.image"),
        "{said}"
    );
    assert!(said.contains("is not in the registry"), "{said}");
}
