//! A workspace with one use case, a pachctl, and a registry that holds its images.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Fixture {
    folder: TempDir,
    registry: String,
}

impl Fixture {
    /// `iris-model` trains on the repo `iris-data`, and `iris-deploy` deploys.
    pub(crate) fn new() -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().unwrap(),
            registry: registry(),
        };
        let registry = &fixture.registry;
        let manifest = format!(
            "[workspace]\nmembers = [\"crates/*\"]\n\n[workspace.metadata.images]\n\
             registry = \"{registry}\"\nproject = \"acme\"\nnames = [\"train\", \"deploy\", \"serve\"]\n"
        );
        fixture.write("Cargo.toml", &manifest);
        for name in ["train", "deploy", "serve"] {
            let package = format!("[package]\nname = \"{name}\"\nversion = \"0.0.1\"\n");
            fixture.write(&format!("crates/{name}/Cargo.toml"), &package);
        }
        fixture.describe(&fixture.train());
        fixture.describe(&fixture.deploy("0.0.1"));
        fs::create_dir(fixture.stub()).unwrap();
        fixture
    }

    pub(crate) fn train(&self) -> Value {
        json!({
            "pipeline": {"name": "iris-model"},
            "input": {"pfs": {"name": "data", "repo": "iris-data", "glob": "/"}},
            "transform": {"image": format!("{}/acme/train:0.0.1", self.registry), "cmd": ["/train"]},
        })
    }

    /// With this version of serve.
    pub(crate) fn deploy(&self, serve: &str) -> Value {
        let serve = format!("{}/acme/serve:{serve}", self.registry);
        json!({
            "pipeline": {"name": "iris-deploy"},
            "input": {"pfs": {"name": "data", "repo": "iris-model", "glob": "/"}},
            "transform": {
                "image": format!("{}/acme/deploy:0.0.1", self.registry),
                "cmd": ["/deploy", "--serving-image", serve],
            },
        })
    }

    /// Writes a descriptor to the file of its pipeline.
    pub(crate) fn describe(&self, descriptor: &Value) {
        let name = descriptor["pipeline"]["name"].as_str().unwrap();
        self.write(
            &format!("pipelines/iris/{name}-pipeline.json"),
            &format!("{descriptor:#}\n"),
        );
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    fn stub(&self) -> PathBuf {
        self.folder.path().join("stub")
    }

    /// What goes wrong from now on, a line for each.
    pub(crate) fn faults(&self, lines: &[&str]) {
        fs::write(self.stub().join("faults"), lines.join("\n")).unwrap();
    }

    /// `cargo xtask pipelines WORDS`.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("pipelines").args(words.split_whitespace());
        command.env("CARGO_MANIFEST_DIR", self.root().join("xtask"));
        command.env("XTASK_PACHCTL", env!("CARGO_BIN_EXE_stub-pachctl"));
        command.env("STUB", self.stub());
        command.env("DOCKER_CONFIG", self.folder.path());
        command
    }

    /// Runs it and wants success; gives what was printed on both streams.
    pub(crate) fn succeed(&self, words: &str) -> String {
        let output = self.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        talk(&output)
    }

    /// Runs it and wants the exit code 1.
    pub(crate) fn fail(&self, words: &str) -> String {
        let output = self.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
        talk(&output)
    }

    /// Runs it with `--json`, wants success, and gives the document.
    pub(crate) fn json(&self, words: &str) -> Value {
        let output = self.command(&format!("{words} --json")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs pachctl itself, and gives what it prints.
    pub(crate) fn pachctl(&self, words: &str) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stub-pachctl"));
        command
            .args(words.split_whitespace())
            .env("STUB", self.stub());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words}: {}", talk(&output));
        output.stdout
    }

    /// The commands that changed something since the last call.
    pub(crate) fn sent(&self) -> Vec<String> {
        let log = self.stub().join("log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        fs::remove_file(log).ok();
        let changing = |line: &&str| line.starts_with("create") || line.starts_with("update");
        text.lines().filter(changing).map(str::to_owned).collect()
    }

    /// What pachd keeps.
    pub(crate) fn state(&self) -> Value {
        let text = fs::read_to_string(self.stub().join("state.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn set_state(&self, state: &Value) {
        fs::write(self.stub().join("state.json"), state.to_string()).unwrap();
    }
}

/// Everything that was printed.
fn talk(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A registry that holds every image of a version below 9.
fn registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            lines
                .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
                .for_each(drop);
            let (status, body) = if first.contains("/manifests/9.") {
                (
                    "404 Not Found",
                    r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"x"}]}"#,
                )
            } else {
                ("200 OK", "{}")
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n",
                body.len()
            );
            let mut client = client;
            client.write_all(format!("{head}{body}").as_bytes()).ok();
        }
    });
    address
}

/// The value of a key of each pipeline.
pub(crate) fn each(document: &Value, key: &str) -> Vec<Value> {
    let pipelines = document["pipelines"].as_array().unwrap();
    pipelines
        .iter()
        .map(|pipeline| pipeline[key].clone())
        .collect()
}

/// Whether a file below a folder holds a text.
pub(crate) fn holds(folder: &Path, text: &str) -> bool {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            holds(&path, text)
        } else {
            fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
        }
    })
}
