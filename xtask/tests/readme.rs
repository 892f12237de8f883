//! Every command of the README works as it stands there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The command that keeps serving until Ctrl-C.
const SERVES: &str = "cargo xtask local iris";

/// The command that runs this test too; `.ci/run` runs it as it stands.
const TESTS: &str = "cargo test --workspace";

/// Lists a library that train and serve share, with the time at which it was compiled.
const COMPILED: &str =
    "stat --format '%n %y' ${CARGO_TARGET_DIR:-target}/*/release/deps/librten-*.rlib";

/// Longer than a release build of everything on a small machine.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The lines that begin with `$` in the README's console blocks.
fn commands() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = text.split("```console\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines);
    lines
        .filter_map(|line| line.strip_prefix("$ "))
        .map(str::to_owned)
        .collect()
}

fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(root());
    // What cargo sets for this test would be taken for the command's own.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_")) {
        if name != "CARGO_TARGET_DIR" && name != "CARGO_HOME" {
            shell.env_remove(name);
        }
    }
    shell
}

fn output(command: &str) -> String {
    let output = shell(command).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{command}: {}\n{text}",
        output.status
    );
    text
}

/// A running `cargo xtask local iris` that has shown its prediction.
struct Serving(Child);

impl Serving {
    fn start() -> Self {
        let mut child = shell(&format!("exec {SERVES}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        let answer = receive.recv_timeout(PATIENCE).expect("a prediction");
        assert_eq!(answer, "setosa");
        Self(child)
    }

    /// Ends it as Ctrl-C does.
    fn stop(&mut self) {
        output(&format!("kill -INT {}", self.0.id()));
        let status = self.0.wait().unwrap();
        assert!(status.success() || status.code() == Some(130), "{status}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[test]
fn the_first_commands_are_the_main_job_and_the_tests() {
    let commands = commands();
    let first: Vec<&str> = commands.iter().take(2).map(String::as_str).collect();
    assert_eq!(first, [SERVES, TESTS]);
}

#[test]
#[ignore = "runs every command of the README: needs docker, curl, a clean checkout and minutes"]
fn every_command_works() {
    assert_eq!(
        output("git status --porcelain"),
        "",
        "commit or stash first"
    );
    let mut serving = None;
    let mut compiled = String::new();
    for command in commands().into_iter().filter(|command| command != TESTS) {
        eprintln!("$ {command}");
        if command == SERVES {
            serving = Some(Serving::start());
            compiled = output(COMPILED);
            continue;
        }
        if command.starts_with("cargo xtask")
            && let Some(mut serving) = serving.take()
        {
            serving.stop();
        }
        let text = output(&command);
        if command.starts_with("curl") {
            assert!(text.contains("setosa"), "{text}");
        }
        if command == "cargo xtask images" {
            assert_eq!(output(COMPILED), compiled, "compiled once for both");
        }
        if command == "cargo xtask bump serve" {
            let changed = output("git diff --numstat");
            assert!(
                changed.lines().all(|line| line.starts_with("1\t1\t")),
                "{changed}"
            );
            let deployments = output("ls pipelines/*/deployment-pipeline.json");
            let files = ["Cargo.lock", "crates/serve/Cargo.toml"];
            let wanted = files.into_iter().chain(deployments.lines());
            let names = changed.lines().filter_map(|line| line.rsplit('\t').next());
            assert!(names.eq(wanted), "{changed}");
        }
    }
    output("git checkout --quiet -- Cargo.lock crates pipelines");
    the_image_answers_on_onnxruntime();
}

/// The image that the commands have built, with the model that they have trained.
fn the_image_answers_on_onnxruntime() {
    let version = output("grep -m1 ^version crates/serve/Cargo.toml | cut -d'\"' -f2");
    let image = format!("localhost:5000/pachyderm-seldon/serve:{}", version.trim());
    let strict = "--rm --read-only --cap-drop=ALL --user $(id -u):0";
    let said = output(&format!(
        "docker run --network=none {strict} {image} --version"
    ));
    assert!(said.contains("\nengine: onnxruntime 1."), "{said}");
    assert!(
        said.contains(", /usr/local/lib/libonnxruntime.so"),
        "{said}"
    );
    let folder = output("ls -d .local/iris/repos/iris-model/commits/*/files/model | head -1");
    let mount = format!("--volume \"$PWD/{}\":/mnt/models:ro", folder.trim());
    let id = output(&format!(
        "docker run --detach {strict} --publish 127.0.0.1::9000 {mount} {image} --engine onnxruntime"
    ));
    let id = id.trim();
    let port = output(&format!("docker port {id} 9000 | head -1"));
    let curl = "curl --silent --show-error --retry 30 --retry-delay 1 --retry-all-errors";
    let url = format!("http://{}", port.trim());
    let about = output(&format!("{curl} {url}/v2"));
    let body = r#"{"data":{"ndarray":[[5.1,3.5,1.4,0.2]]}}"#;
    let answer = output(&format!(
        "{curl} {url}/api/v1.0/predictions -H 'Content-Type: application/json' -d '{body}'"
    ));
    let log = output(&format!("docker logs {id} 2>&1"));
    output(&format!("docker stop --time 1 {id}"));
    assert!(about.contains("\"engine\":\"onnxruntime 1."), "{about}");
    assert!(answer.contains("\"setosa\""), "{answer}");
    assert!(log.contains("engine=\"onnxruntime 1."), "{log}");
}
