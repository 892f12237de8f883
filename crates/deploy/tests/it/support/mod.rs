//! What several tests share.
pub(crate) mod crd;
pub(crate) mod scene;
pub(crate) mod tls;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with `data` and `out`, as Pachyderm gives a datum.
pub(crate) struct Pfs(TempDir);

impl Pfs {
    pub(crate) fn new(model_info: &str) -> Self {
        let pfs = Self(tempfile::tempdir().unwrap());
        fs::create_dir(pfs.path("data")).unwrap();
        fs::create_dir(pfs.path("out")).unwrap();
        fs::write(pfs.path("data/model-info.yaml"), model_info).unwrap();
        pfs
    }

    /// Makes this version the one to deploy.
    pub(crate) fn set_version(&self, version: &str) {
        let info = format!(
            "name: iris\nversion: '{version}'\npipeline: iris-model\nrepo: iris-data\n\
             uri: s3://bucket/{version}/model\n"
        );
        fs::write(self.path("data/model-info.yaml"), info).unwrap();
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// The program, with this folder and an otherwise empty environment.
    pub(crate) fn deploy<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
        command
            .env_clear()
            .args(args)
            .env("PFS_ROOT", self.0.path());
        command
    }

    /// The names of the files in `out`.
    pub(crate) fn out(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("out")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The cases of the golden test: a folder with `model-info.yaml`, `args` (one
/// option with its value a line) and the expected files.
pub(crate) fn golden_cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

pub(crate) fn arguments(case: &Path) -> Vec<String> {
    let text = fs::read_to_string(case.join("args")).unwrap();
    let lines = text.lines().flat_map(|line| line.splitn(2, ' '));
    lines.map(str::to_owned).collect()
}
