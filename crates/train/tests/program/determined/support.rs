//! A master, a folder that stands for `/pfs`, and the program between them.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use determined_mock::{MockMaster, PASSWORD, Script, USER};
use model::{ModelInfo, Package};
use onnx::{Dim, ElementType, GraphBuilder};
use serde_json::json;

use crate::common::{Pfs, VERSION, texts, tree};

pub(crate) const PAC_TOKEN: &str = "pac-t0ken-0f-a-r0bot";
pub(crate) const STORAGE_KEY: &str = "st0rage-secret-key";
pub(crate) const GIT_TOKEN: &str = "g1t-deploy-t0ken";

/// A classifier of rows with two columns.
pub(crate) fn graph(output: &str, softmax: bool) -> Vec<u8> {
    let mut graph = GraphBuilder::new("classifier", "");
    let rows = Dim::Any("batch");
    let input = graph.input("input", ElementType::F32, &[rows, Dim::Fixed(2)]);
    let weights = graph.f32s("weights", &[2, 3], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.7]);
    let scores = graph.node("MatMul", &[&input, &weights], Vec::new());
    let biased = graph.f32s("bias", &[3], &[0.1, 0.5, 0.9]);
    let mut scores = graph.node("Add", &[&scores, &biased], Vec::new());
    if softmax {
        scores = graph.node("Softmax", &[&scores], Vec::new());
    }
    graph.output(&scores, output, ElementType::F32, &[rows, Dim::Fixed(3)]);
    onnx::encode(&graph.finish("test", "1"))
}

/// A script whose checkpoints hold a real graph, and the configuration with its
/// secrets, as a `PyTorchTrial` saves it.
pub(crate) fn script() -> Script {
    let mut script = Script::default();
    let load_data = json!({
        "trial_type": "PyTorchTrial",
        "experiment_config": {
            "data": {"secrets": {"pachyderm_token": PAC_TOKEN}},
            "checkpoint_storage": {"secret_key": STORAGE_KEY},
        },
    });
    for checkpoint in &mut script.checkpoints {
        let mut add = |name: &str, content: Vec<u8>| {
            checkpoint.files.insert(name.to_owned(), content);
        };
        add("model.onnx", graph("probabilities", true));
        add("load_data.json", load_data.to_string().into_bytes());
        add("notes.txt", format!("key={STORAGE_KEY}\n").into_bytes());
    }
    script.log.push(format!("connecting with {PAC_TOKEN}"));
    script
}

pub(crate) const CONFIG: &str = "\
name: dogs
entrypoint: python3 train.py
searcher: {name: single, metric: accuracy, smaller_is_better: false}
data: {pachyderm: {host: null, port: null, repo: null, branch: null, token: null}}
";

pub(crate) struct Case {
    pub(crate) master: MockMaster,
    pub(crate) pfs: Pfs,
}

impl Case {
    pub(crate) fn new() -> Self {
        let master = MockMaster::start();
        master.world().script = script();
        Self {
            master,
            pfs: Self::pfs(),
        }
    }

    pub(crate) fn pfs() -> Pfs {
        Pfs::new()
            .file("code/train.py", "print(1)\n")
            .file("code/lib/net.py", "pass\n")
            .file("code/data/big.bin", "x")
            .file("code/.detignore", "/data\n")
            .file("code/const.yaml", CONFIG)
    }

    /// The next attempt finds an empty output, as Pachyderm gives it one.
    pub(crate) fn again(&mut self) {
        self.pfs = Self::pfs();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = self.command_without_code();
        command
            .args(["--engine", "determined"])
            .env("TRAIN_CODE", "/pfs/code")
            .env("TRAIN_CONFIG", "const.yaml");
        command
    }

    pub(crate) fn command_without_code(&self) -> Command {
        let mut command = self.pfs.command();
        command
            .args(["--poll", "5ms"])
            .env("DET_MASTER", self.master.url())
            .env("DET_USER", USER)
            .env("DET_PASSWORD", PASSWORD)
            .env("PAC_TOKEN", PAC_TOKEN)
            .env("PACHD_LB_SERVICE_HOST", "pachd.example")
            .env("PACHD_LB_SERVICE_PORT", "30650");
        command
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        let output = self.command().args(args).output().unwrap();
        self.look_for_secrets(&output);
        output
    }

    pub(crate) fn succeeds(&self, args: &[&str]) -> (String, String) {
        let output = self.output(args);
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        self.published();
        (out, err)
    }

    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert_eq!(tree(&self.pfs.out()), BTreeMap::new(), "{err}");
        err
    }

    /// Nothing that is printed or written holds a secret.
    pub(crate) fn look_for_secrets(&self, output: &Output) {
        let mut all = tree(&self.pfs.out());
        all.insert("stdout".to_owned(), output.stdout.clone());
        all.insert("stderr".to_owned(), output.stderr.clone());
        for (name, content) in all {
            let text = String::from_utf8_lossy(&content);
            for secret in [PASSWORD, PAC_TOKEN, STORAGE_KEY, GIT_TOKEN, "mock-token"] {
                assert!(!text.contains(secret), "{secret} in {name}: {text}");
            }
        }
    }

    pub(crate) fn published(&self) -> Package {
        let info = ModelInfo::read(&self.pfs.out().join("model-info.yaml")).unwrap();
        assert_eq!(
            (info.name.as_str(), info.version.as_str()),
            ("iris", VERSION)
        );
        let folder = self.pfs.out().join("model");
        let package = Package::open_pinned(&folder, info.digest.unwrap()).unwrap();
        assert_eq!(info.metrics["accuracy"], 0.91);
        assert_eq!(package.manifest.labels, ["0", "1", "2"]);
        package
    }

    /// Experiments and versions.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let (experiments, versions, _) = self.master.world().counts();
        (experiments, versions)
    }
}
