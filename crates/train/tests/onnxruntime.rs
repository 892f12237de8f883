//! The exported graphs against ONNX Runtime, the reference of the format.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Pfs, either_csv, encode, mixed_csv, predict, regression_csv};
use model::Cell;
use serde_json::json;

/// A Python with the two packages, made once below the target folder.
fn python() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnxruntime");
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "onnx", "onnxruntime"]));
        std::fs::write(ready, "").unwrap();
    }
    python
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

#[test]
#[ignore = "needs python3 with venv and pip, and a package index"]
fn the_graphs_are_valid_and_give_the_same() {
    let python = python();
    let n = Cell::Number;
    let t = Cell::Text;
    let iris = vec![
        vec![n(5.1), n(3.5), n(1.4), n(0.2)],
        vec![n(3e38); 4],
        vec![n(6.3), n(3.3), n(6.0), n(2.5)],
    ];
    let mixed = vec![
        vec![n(5.0), t("blue")],
        vec![Cell::Missing, t("green")],
        vec![n(-1.0), Cell::Missing],
        vec![Cell::Missing, Cell::Missing],
    ];
    let regression = vec![vec![n(10.0), n(0.5), t("q")], vec![n(-3.0), n(0.1), t("p")]];
    let either = vec![
        vec![n(90.0), t("b")],
        vec![n(-3e38), t("a")],
        vec![Cell::Missing, t("b")],
    ];
    let cases = [
        (Pfs::with_csv(either_csv()), either),
        (Pfs::iris(), iris),
        (Pfs::with_csv(mixed_csv()), mixed),
        (Pfs::with_csv(regression_csv()), regression),
    ];
    for (pfs, rows) in cases {
        pfs.train(&[]);
        let package = pfs.package();
        let input = encode(&package, &rows);
        // JSON has no NaN; null stands for it.
        let values: Vec<Option<f32>> = input
            .values
            .iter()
            .map(|v| (!v.is_nan()).then_some(*v))
            .collect();
        let wanted = json!({
            "shape": input.shape,
            "columns": values,
            "outputs": predict(&package, &rows),
            "output": package.manifest.outputs[0].name,
        });
        let case = pfs.path().join("case.json");
        std::fs::write(&case, wanted.to_string()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnxruntime.py");
        run(Command::new(&python)
            .arg(script)
            .arg(pfs.out().join("model/model.onnx"))
            .arg(case));
    }
}
