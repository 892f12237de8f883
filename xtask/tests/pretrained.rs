//! A folder of pictures and a file of texts the whole way to an answer over HTTP, on
//! the backbones that the use cases name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than a release build of everything on a small machine.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

fn shared(path: &str) -> PathBuf {
    let folder = std::env::var_os("SHARED_DIR").expect("SHARED_DIR names the shared folder");
    Path::new(&folder).join("data").join(path)
}

fn xtask(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("local").args(arguments).arg("--data").arg(data);
    // What the test of another package has set is not for the programs.
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

fn shell(command: &str) -> Value {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A run that serves until it is dropped.
struct Serving {
    child: Child,
    folder: TempDir,
    url: String,
}

impl Serving {
    /// Waits until `use_case` has shown its prediction of `data`.
    fn start(use_case: &str, data: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| Stdio::from(File::create(folder.path().join(name)).unwrap());
        let mut command = xtask(&[use_case, "--port", &port.to_string()], data);
        let child = command
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        let mut serving = Self {
            child,
            folder,
            url: format!("http://127.0.0.1:{port}/api/v1.0/predictions"),
        };
        let deadline = Instant::now() + PATIENCE;
        while !serving.said("stderr").contains("Ctrl-C ends it") {
            let ended = serving.child.try_wait().unwrap();
            let late = Instant::now() > deadline;
            assert!(ended.is_none() && !late, "{}", serving.said("stderr"));
            thread::sleep(Duration::from_millis(50));
        }
        println!("{}{}", serving.said("stderr"), serving.said("stdout"));
        serving
    }

    fn said(&self, stream: &str) -> String {
        fs::read_to_string(self.folder.path().join(stream)).unwrap()
    }

    /// What the command that it says to try answers.
    fn tried(&self) -> Value {
        let said = self.said("stderr");
        let line = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("Try "));
        shell(line.expect("a command to try"))
    }

    /// Ends it as Ctrl-C does.
    fn stop(mut self) {
        assert!(self.interrupt().success());
    }

    fn interrupt(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-INT", &pid]).status();
        assert!(kill.unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Its server ends with it only when it is asked to end.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.interrupt();
        }
    }
}

/// The probability of each class of an answer, by its name.
fn probabilities(answer: &Value) -> Vec<(String, f64)> {
    let names = answer["data"]["names"].as_array().unwrap();
    let row = answer["data"]["tensor"]["values"].as_array().unwrap();
    let names = names.iter().map(|name| name.as_str().unwrap().to_owned());
    names.zip(row.iter().map(|p| p.as_f64().unwrap())).collect()
}

/// The likeliest class, after the probabilities were found to be some.
fn best(answer: &Value) -> String {
    let mut all = probabilities(answer);
    let sum: f64 = all.iter().map(|(_, probability)| probability).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{answer}");
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.swap_remove(0).0
}

/// The same data again needs neither a training nor a backbone, and so no network.
fn again(use_case: &str, data: &Path) {
    let mut command = xtask(&[use_case, "--once"], data);
    let output = command.env("PYTHON", "/nowhere/python").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains(&format!("Skipped {use_case}-model")),
        "{said}"
    );
    assert!(!said.contains("Getting"), "{said}");
}

#[test]
#[ignore = "needs SHARED_DIR, curl, python3 with pip and a package index; compiles the programs"]
fn a_folder_of_pictures_goes_the_whole_way() {
    let all = shared("dogs-and-cats");
    let mut names: Vec<String> = fs::read_dir(&all)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let data = tempfile::tempdir().unwrap();
    let mut unseen = Vec::new();
    for class in ["cat", "dog"] {
        let mut of_class = names.iter().filter(|name| name.starts_with(class));
        for name in of_class.by_ref().take(20) {
            fs::copy(all.join(name), data.path().join(name)).unwrap();
        }
        unseen.extend(of_class.next().map(|name| (class, all.join(name))));
    }
    let serving = Serving::start("image-classification", data.path());
    let (out, err) = (serving.said("stdout"), serving.said("stderr"));
    assert!(err.contains("Asking what the picture cat."), "{err}");
    assert!(out.starts_with("cat\n  cat  "), "{out}");
    assert_eq!(best(&serving.tried()), "cat");
    assert_eq!(unseen.len(), 2);
    for (class, path) in unseen {
        let curl = format!("curl -sS -F binData=@{} {}", path.display(), serving.url);
        assert_eq!(best(&shell(&curl)), class, "{}", path.display());
    }
    serving.stop();
    again("image-classification", data.path());
}

#[test]
#[ignore = "needs SHARED_DIR, curl, python3 with pip and a package index; compiles the programs"]
fn a_file_of_texts_goes_the_whole_way() {
    let all = fs::read_to_string(shared("financial-phrasebank/train.csv")).unwrap();
    let some: Vec<&str> = all.lines().take(201).collect();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("phrases.csv");
    fs::write(&data, some.join("\n")).unwrap();
    let serving = Serving::start("sentiment-analysis", &data);
    let (out, err) = (serving.said("stdout"), serving.said("stderr"));
    let text = some[1].split('\t').nth(1).unwrap().trim();
    let begin: String = text.chars().take(30).collect();
    assert!(err.contains(&format!("Asking \"{begin}")), "{err}");
    let answer = serving.tried();
    assert_eq!(out.lines().next(), Some(&*best(&answer)));
    let classes = probabilities(&answer);
    let classes: Vec<&str> = classes.iter().map(|(name, _)| &**name).collect();
    assert_eq!(classes, ["negative", "neutral", "positive"]);
    serving.stop();
    again("sentiment-analysis", &data);
}
