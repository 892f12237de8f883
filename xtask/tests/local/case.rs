//! A use case of its own for each test, in a workspace that all share, so that the
//! stand-ins are compiled once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const TRAIN: &str = r#"{
  "pipeline": {"name": "model"},
  "input": {"cross": [
    {"pfs": {"name": "data", "repo": "data", "glob": "/"}},
    {"pfs": {"name": "experiment", "repo": "experiment", "glob": "/"}}
  ]},
  "transform": {"image": "localhost:5000/stand-in/train:0.0.1", "cmd": ["/train"]},
  "datum_tries": 1
}"#;

const DEPLOY: &str = r#"{
  "pipeline": {"name": "rollout"},
  "input": {"pfs": {"name": "data", "repo": "model", "glob": "/"}},
  "transform": {"image": "localhost:5000/stand-in/deploy:0.0.1", "cmd": ["/deploy", "shown"]}
}"#;

/// A use case.
pub(crate) struct Case {
    name: String,
    port: u16,
}

/// A run that goes on; ended when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Running {
    /// Waits until it does nothing but serve.
    pub(crate) fn serves(&self) {
        self.says("Ctrl-C ends it");
    }

    /// Waits until it has printed `words`.
    pub(crate) fn says(&self, words: &str) {
        eventually(words, || {
            fs::read_to_string(&self.log).unwrap().contains(words)
        });
    }

    /// As Ctrl-C, or `kill`.
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").arg(pid).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its server ends with it only when it is asked to end.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.interrupt();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The workspace of all use cases.
pub(crate) fn root() -> PathBuf {
    static PREPARED: Once = Once::new();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("local");
    PREPARED.call_once(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local/workspace");
        for entry in walkdir::WalkDir::new(&source) {
            let entry = entry.unwrap();
            let target = root.join(entry.path().strip_prefix(&source).unwrap());
            if entry.file_type().is_dir() {
                fs::create_dir_all(&target).unwrap();
            } else if fs::read(&target).ok() != Some(fs::read(entry.path()).unwrap()) {
                fs::copy(entry.path(), &target).unwrap();
            }
        }
    });
    root
}

/// A port that is nobody else's: another one for each test and each test process,
/// and none that the system gives to outgoing connections.
fn port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id() % 500 * 24 + NEXT.fetch_add(1, Ordering::SeqCst) % 24;
    20_000 + u16::try_from(number).unwrap()
}

/// `cargo xtask local` in the workspace of all use cases.
fn xtask() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("local");
    command.env("CARGO_MANIFEST_DIR", root().join("xtask"));
    command.env("CARGO_TARGET_DIR", root().join("target"));
    // No test wants a network: what pip would get is not to be had.
    command.env("PIP_INDEX_URL", "http://127.0.0.1:1/simple");
    command.env("PIP_RETRIES", "0");
    command
}

impl Case {
    /// A new use case with three rows of data.
    pub(crate) fn new(name: &str) -> Self {
        let case = Self {
            name: name.to_owned(),
            port: port(),
        };
        let _ = fs::remove_dir_all(case.source());
        let _ = fs::remove_dir_all(case.state());
        fs::create_dir_all(case.source().join("data")).unwrap();
        case.write("training-pipeline.json", TRAIN);
        case.write("deployment-pipeline.json", DEPLOY);
        case.mode("ok");
        case.rows(3);
        case
    }

    fn source(&self) -> PathBuf {
        root().join("pipelines").join(&self.name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        root().join(".local").join(&self.name)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.source().join(file), text).unwrap();
    }

    /// Lets the servers have this secret.
    pub(crate) fn deploys_with(&self, secret: &str) {
        let with = DEPLOY.replace("\"shown\"", &format!("\"shown\", \"{secret}\""));
        assert_ne!(with, DEPLOY);
        self.write("deployment-pipeline.json", &with);
    }

    pub(crate) fn read(&self, file: &Path) -> String {
        fs::read_to_string(self.source().join(file)).unwrap()
    }

    /// What the stand-in for train does.
    pub(crate) fn mode(&self, mode: &str) {
        self.write("experiment.yaml", mode);
    }

    pub(crate) fn rows(&self, rows: usize) {
        let rows: String = (0..rows).map(|row| format!("{row}.5,x\n")).collect();
        self.write("data/rows.csv", &format!("length,class\n{rows}"));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = xtask();
        command.args([&self.name]).args(arguments);
        command.args(["--port", &self.port.to_string()]);
        command.env("A_SECRET_OF_THE_DEVELOPER", "x");
        command
    }

    /// What a question is answered on stdout.
    pub(crate) fn ask(&self, question: &[&str]) -> String {
        let output = xtask().args(question).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a question is refused with.
    pub(crate) fn refused(&self, question: &[&str]) -> String {
        let output = xtask().args(question).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        said(&output)
    }

    pub(crate) fn once(&self, arguments: &[&str]) -> Output {
        self.command(arguments).arg("--once").output().unwrap()
    }

    /// A run that must succeed; what it said.
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.once(arguments);
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        said
    }

    /// A run that must fail; what it said.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.once(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let log = root().join(format!("{}.log", self.name));
        let mut command = self.command(arguments);
        command
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        Running {
            child: command.spawn().unwrap(),
            log,
        }
    }

    /// The head of a repo.
    pub(crate) fn head(&self, repo: &str) -> Option<Value> {
        let folder = self.state().join("repos").join(repo);
        let id = fs::read_to_string(folder.join("head")).ok()?;
        let commit = folder.join("commits").join(id.trim()).join("commit.json");
        Some(json(&commit))
    }

    pub(crate) fn files(&self, repo: &str) -> PathBuf {
        let id = self.head(repo).unwrap()["id"].as_str().unwrap().to_owned();
        self.state()
            .join("repos")
            .join(repo)
            .join("commits")
            .join(id)
            .join("files")
    }

    /// The records of all jobs of a pipeline.
    pub(crate) fn jobs(&self, pipeline: &str) -> Vec<Value> {
        let folder = self.state().join("jobs").join(pipeline);
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        entries
            .map(|entry| json(&entry.unwrap().path().join("job.json")))
            .collect()
    }

    /// How many programs are noted as running.
    pub(crate) fn noted(&self, kind: &str) -> usize {
        let folder = self.state().join("processes").join(kind);
        fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

pub(crate) fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Everything that a run printed.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
