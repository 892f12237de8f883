//! A folder that stands for `/pfs`, and the real program run on it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, of which each test uses its part"
)]

pub(crate) mod pictures;
#[path = "../../../../determined/tests/it/python.rs"]
pub(crate) mod python;
pub(crate) mod texts;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use model::{Cell, Package, Preprocessing, Session, Table, Tensor};
use serde_json::Value;

/// Names the settings.
pub(crate) const CONFIG: [&str; 2] = ["--config", "/pfs/experiment.yaml"];

/// The version that every run in the tests gets.
pub(crate) const VERSION: &str = "0123456789ab4def0123456789abcdef";

pub(crate) struct Pfs {
    dir: tempfile::TempDir,
}

impl Pfs {
    /// With an empty `data` and an empty `out`.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["data", "out"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    /// With one file `data/a.csv`.
    pub(crate) fn with_csv(csv: impl AsRef<[u8]>) -> Self {
        Self::new().file("data/a.csv", csv)
    }

    /// With the rows of the use case iris.
    pub(crate) fn iris() -> Self {
        Self::with_csv(fs::read(use_case("data/iris.csv")).unwrap())
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.path().join("out")
    }

    /// The program as a pipeline's worker starts it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command
            .args(["--repo", "iris-data", "--model", "iris"])
            .env_clear()
            .env("PFS_ROOT", self.path())
            .env("PACH_JOB_ID", VERSION)
            .env("PACH_OUTPUT_COMMIT_ID", VERSION)
            .env("PPS_PIPELINE_NAME", "iris-model")
            .env("PPS_PROJECT_NAME", "default")
            .env("data_COMMIT", "c0ffee");
        command
    }

    /// The program as a task's entrypoint, without the environment of a task.
    pub(crate) fn trial(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command
            .args(["trial", "--repo", "iris-data", "--model", "iris"])
            .args(["--job-id", VERSION, "--pfs"])
            .arg(self.path())
            .env_clear();
        command
    }

    /// Trains, which must succeed; gives standard output and standard error.
    pub(crate) fn train(&self, args: &[&str]) -> (String, String) {
        let output = self.command().args(args).output().unwrap();
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        (out, err)
    }

    /// Trains, which must be refused with nothing written; gives the error.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().unwrap();
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert_eq!(out, "", "a failed run has no result");
        assert_eq!(
            tree(&self.out()),
            BTreeMap::new(),
            "a failed run leaves nothing"
        );
        let last = err.lines().last().unwrap_or_default();
        last.strip_prefix("error: ")
            .unwrap_or_else(|| panic!("no error in {err}"))
            .to_owned()
    }

    /// Verifies the published package; gives the status, the result and the talk.
    pub(crate) fn verify(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.verify_command(args).output().unwrap();
        let (out, err) = texts(&output);
        (output.status.code(), out, err)
    }

    /// The program as it verifies the published package, in an empty environment.
    pub(crate) fn verify_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command
            .arg("verify")
            .arg(self.out().join("model"))
            .args(["--pfs".as_ref(), self.path().as_os_str()])
            .args(["--data", "/pfs/data"])
            .args(args)
            .env_clear();
        command
    }

    /// Makes the published model the last one, in `/pfs/last`.
    pub(crate) fn keep_as_last(self) -> Self {
        fs::rename(self.out().join("model"), self.path().join("last")).unwrap();
        fs::remove_file(self.out().join("model-info.yaml")).unwrap();
        self
    }

    pub(crate) fn package(&self) -> Package {
        Package::open(&self.out().join("model")).unwrap()
    }

    pub(crate) fn metrics(&self) -> Value {
        serde_json::from_slice(&fs::read(self.out().join("model/metrics.json")).unwrap()).unwrap()
    }

    pub(crate) fn report(&self) -> String {
        fs::read_to_string(self.out().join("model/report.html")).unwrap()
    }
}

/// A file of `pipelines/iris`.
pub(crate) fn use_case(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../pipelines/iris")
        .join(path)
}

pub(crate) fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Every file below `folder` with its content; folders end in a slash.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1) {
        let entry = entry.unwrap();
        let name = entry
            .path()
            .strip_prefix(folder)
            .unwrap()
            .display()
            .to_string();
        match entry.file_type().is_dir() {
            true => files.insert(name + "/", Vec::new()),
            false => files.insert(name, fs::read(entry.path()).unwrap()),
        };
    }
    files
}

pub(crate) fn table(package: &Package) -> &Table {
    match &package.manifest.preprocessing {
        Preprocessing::Table(table) => table,
        other => panic!("{other:?}"),
    }
}

/// The graph's input for `rows`, as serving makes it.
pub(crate) fn encode(package: &Package, rows: &[Vec<Cell<'_>>]) -> Tensor {
    let table = table(package);
    let mut values = Vec::new();
    for row in rows {
        table.encode_row(row.iter().copied(), &mut values).unwrap();
    }
    Tensor {
        shape: vec![rows.len(), table.columns.len()],
        values,
    }
}

/// The graph's output for `rows`, row by row.
pub(crate) fn predict(package: &Package, rows: &[Vec<Cell<'_>>]) -> Vec<Vec<f32>> {
    let manifest = &package.manifest;
    let session = Session::load(
        package.graph.clone(),
        &manifest.inputs[0],
        &manifest.outputs,
    )
    .unwrap();
    let output = session.run(encode(package, rows)).unwrap().remove(0);
    assert_eq!(output.shape[0], rows.len());
    output
        .values
        .chunks(output.shape[1])
        .map(<[f32]>::to_vec)
        .collect()
}

/// Numbers that look random and are always the same.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to 1 (the generator SplitMix64).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: mean 0, deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// 400 rows of a number and a colour that tell the class, each missing in 30 %.
pub(crate) fn mixed_csv() -> String {
    let mut noise = Noise::new(5);
    let mut csv = "size,colour,kind\n".to_owned();
    for row in 0..400 {
        let class = row % 2;
        let size = f64::from(class) * 4.0 + noise.normal();
        let colour = if noise.uniform() < 0.85 {
            ["red", "blue"][class as usize]
        } else {
            "green"
        };
        let size = if noise.uniform() < 0.3 {
            String::new()
        } else {
            format!("{size:.3}")
        };
        let colour = if noise.uniform() < 0.3 { "NA" } else { colour };
        writeln!(
            csv,
            "{size},{colour},{}",
            ["small", "large"][class as usize]
        )
        .unwrap();
    }
    csv
}

/// 300 rows of y = 3a - 2b + 5 (+ 10 for the group q) with a little noise.
pub(crate) fn regression_csv() -> String {
    let mut noise = Noise::new(9);
    let mut csv = "a,b,group,y\n".to_owned();
    for row in 0..300 {
        let (a, b) = (noise.normal() * 10.0, noise.uniform());
        let (group, more) = if row % 3 == 0 {
            ("q", 10.0)
        } else {
            ("p", 0.0)
        };
        let y = 3.0 * a - 2.0 * b + 5.0 + more + 0.1 * noise.normal();
        writeln!(csv, "{a:.4},{b:.4},{group},{y:.4}").unwrap();
    }
    csv
}

/// `yes` where a number is high or a category is `b`, and not both: no sum of the
/// two tells that. Some numbers are missing, of which nothing tells.
pub(crate) fn either_csv() -> String {
    let mut csv = "x,kind,y\n".to_owned();
    for row in 0..300 {
        let x = row * 37 % 101;
        let kind = if row % 2 == 0 { "a" } else { "b" };
        let yes = (x > 50) != (kind == "b");
        let x = if row % 60 == 7 {
            String::new()
        } else {
            x.to_string()
        };
        writeln!(csv, "{x},{kind},{}", if yes { "yes" } else { "no" }).unwrap();
    }
    csv
}

/// The folder of the real backbones, in which `name` is made once.
pub(crate) fn backbones(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let kept = root.join(".local/backbones");
    if kept.join(name).is_dir() {
        return kept.canonicalize().unwrap();
    }
    let made = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "backbone", "--", name])
        .current_dir(&root)
        .env_remove("BACKBONES")
        // Flags that are meant for a target do not fit a build without one.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .unwrap();
    assert!(made.success());
    kept.canonicalize().unwrap()
}

/// The class with the highest of these scores.
pub(crate) fn likeliest(package: &Package, scores: &[f32]) -> String {
    let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    package.manifest.labels[best.unwrap()].clone()
}
