//! What trains with this program alone, on the cluster or detached.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use determined_mock::{MockMaster, Outcome, PASSWORD, Script, USER};
use model::{ModelInfo, Package};
use serde_json::Value;
use tempfile::TempDir;

use super::support::PAC_TOKEN;
use crate::common::{Pfs, VERSION, texts, tree};

/// A master, the iris data, a storage, and no code.
pub(crate) struct Own {
    pub(crate) master: MockMaster,
    pub(crate) pfs: Pfs,
    pub(crate) storage: TempDir,
}

impl Own {
    pub(crate) fn new() -> Self {
        let master = MockMaster::start();
        // Its tasks run where a test starts them.
        master.world().script = Script {
            log: vec![format!("connecting with {PAC_TOKEN}")],
            ..Script::ending(Outcome::Endless)
        };
        let storage = tempfile::tempdir().unwrap();
        Self {
            pfs: Self::pfs(&storage, ""),
            master,
            storage,
        }
    }

    /// The data, Determined's configuration, and a program for the tasks: a test's
    /// build of train is larger than what an experiment may bring along.
    pub(crate) fn pfs(storage: &TempDir, more: &str) -> Pfs {
        Self::dressed(Pfs::iris(), storage, more)
    }

    pub(crate) fn dressed(pfs: Pfs, storage: &TempDir, more: &str) -> Pfs {
        let config = format!(
            "checkpoint_storage: {{type: shared_fs, host_path: {}}}\n{more}",
            storage.path().display()
        );
        let program = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_train"));
        pfs.file("det.yaml", config).file("train.sh", program)
    }

    /// The next attempt finds an empty output.
    pub(crate) fn again(&mut self) {
        self.pfs = Self::pfs(&self.storage, "");
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.pfs.command();
        command
            .args(["--engine", "determined", "--poll", "5ms"])
            .args(args)
            .env("TRAIN_DET_CONFIG", "/pfs/det.yaml")
            .env("DET_MASTER", self.master.url())
            .env("DET_USER", USER)
            .env("DET_PASSWORD", PASSWORD)
            .env("PAC_TOKEN", PAC_TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts to train on the cluster.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(&["--program", "/pfs/train.sh"]);
        command.args(args).spawn().unwrap()
    }

    /// Waits until the experiment has this state.
    pub(crate) fn wait_for(&self, state: &str, child: &mut Child) {
        let start = Instant::now();
        let is = |own: &Self| {
            let world = own.master.world();
            world.experiments.get(&1).is_some_and(|e| e.state == state)
        };
        while !is(self) {
            if let Some(status) = child.try_wait().unwrap() {
                let mut err = String::new();
                let stderr = child.stderr.as_mut().unwrap();
                std::io::Read::read_to_string(stderr, &mut err).unwrap();
                panic!("it ended, {status}: {err}");
            }
            assert!(start.elapsed() < Duration::from_secs(60), "never {state}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a request came whose path ends so.
    pub(crate) fn wait_for_request(&self, end: &str) {
        let start = Instant::now();
        let asked = || {
            let requests = self.master.requests();
            requests.iter().any(|request| request.path.ends_with(end))
        };
        while !asked() {
            assert!(start.elapsed() < Duration::from_secs(60), "never {end}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Runs one task of the experiment's trial to its end, as an agent does.
    pub(crate) fn task(&self) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let output = self.master.start_task(1, folder.path()).output().unwrap();
        self.look_for_secrets(&output);
        self.master.world().end_task(1, output.status.code());
        output
    }

    /// What was reported to a path that ends so.
    pub(crate) fn reports(&self, end: &str) -> Vec<Value> {
        let world = self.master.world();
        let found = world.reports.iter().filter(|(path, _)| path.ends_with(end));
        found.map(|(_, body)| body.clone()).collect()
    }

    /// The output, which must be a published version.
    pub(crate) fn published(&self, output: &Output) -> Package {
        self.look_for_secrets(output);
        let (out, err) = texts(output);
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        let info = ModelInfo::read(&self.pfs.out().join("model-info.yaml")).unwrap();
        assert_eq!(
            (info.name.as_str(), info.version.as_str()),
            ("iris", VERSION)
        );
        assert_eq!(info.data_commit.as_deref(), Some("c0ffee"));
        Package::open_pinned(&self.pfs.out().join("model"), info.digest.unwrap()).unwrap()
    }

    pub(crate) fn refused(&self, output: &Output) -> String {
        self.look_for_secrets(output);
        let (out, err) = texts(output);
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert!(tree(&self.pfs.out()).is_empty(), "{err}");
        err
    }

    /// Nothing that is printed, written or stored holds a secret.
    pub(crate) fn look_for_secrets(&self, output: &Output) {
        let mut all = tree(&self.pfs.out());
        all.extend(tree(self.storage.path()));
        all.insert("stdout".to_owned(), output.stdout.clone());
        all.insert("stderr".to_owned(), output.stderr.clone());
        for (name, content) in all {
            let text = String::from_utf8_lossy(&content);
            for secret in [PASSWORD, PAC_TOKEN, "mock-token"] {
                assert!(!text.contains(secret), "{secret} in {name}: {text}");
            }
        }
    }

    /// Experiments, versions and checkpoints.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let world = self.master.world();
        let (experiments, versions, _) = world.counts();
        (experiments, versions, world.checkpoints.len())
    }
}

/// The package that the engine `local` makes of the same data.
pub(crate) fn local_package() -> std::collections::BTreeMap<String, Vec<u8>> {
    let pfs = Pfs::iris();
    pfs.train(&[]);
    tree(&pfs.out().join("model"))
}

#[test]
fn what_the_experiment_would_bring_along_is_checked_before() {
    let own = Own::new();
    let program = env!("CARGO_BIN_EXE_train");
    let limit = 95 << 20;
    if fs::metadata(program).unwrap().len() > limit {
        let err = own.refused(&own.command(&[]).output().unwrap());
        assert!(err.contains(program) && err.contains("--program"), "{err}");
    }
    let large = own.pfs.path().join("data/large.csv");
    fs::File::create(&large).unwrap().set_len(100).unwrap();
    let args = ["--program", "/pfs/train.sh"];
    let err = own.refused(&own.command(&args).output().unwrap());
    assert!(err.contains("large.csv"), "the data is read first: {err}");
    fs::remove_file(large).unwrap();
    let args = ["--program", "/pfs/train.sh", "--fork"];
    let err = own.refused(&own.command(&args).output().unwrap());
    assert!(err.contains("this program is the code"), "{err}");
    let det = own.pfs.path().join("det.yaml");
    fs::write(det, "entrypoint: python3 train.py\n").unwrap();
    let err = own.refused(&own.command(&["--detached"]).output().unwrap());
    assert!(err.contains("leave it out"), "{err}");
    assert_eq!(own.counts(), (0, 0, 0));
}
