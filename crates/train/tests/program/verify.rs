//! `train verify`: a package is made again by what it records.

use std::fs;
use std::process::Command;

use crate::common::pictures::{colours, png};
use crate::common::{Pfs, VERSION, mixed_csv, texts};
use serde_json::{Value, json};

fn as_json(pfs: &Pfs, args: &[&str]) -> Value {
    let (_, out, err) = pfs.verify(&[args, &["--json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"))
}

const FILES: [&str; 6] = [
    "data.sha256",
    "metrics.json",
    "model.json",
    "model.onnx",
    "reference.json",
    "report.html",
];

#[test]
fn iris_is_made_again() {
    let pfs = Pfs::iris();
    pfs.train(&[]);
    let (status, out, err) = pfs.verify(&[]);
    assert_eq!(status, Some(0), "{out}{err}");
    let equal = FILES.map(|file| format!("equal       {file}\n")).concat();
    let same = "inputs      the same: 1 data file, settings and program\n";
    assert_eq!(out, format!("{same}{equal}"));
    let found = as_json(&pfs, &[]);
    assert_eq!(found["equal"], true);
    assert_eq!(found["version"], VERSION);
    assert_eq!(found["inputs"]["changed"], json!([]));
    let of_graph = &found["files"]["model.onnx"];
    assert_eq!(of_graph["published"], of_graph["again"]);
}

#[test]
fn the_file_with_a_changed_row_is_named() {
    let pfs = Pfs::iris().file(
        "data/b.csv",
        fs::read(crate::common::use_case("data/iris.csv")).unwrap(),
    );
    pfs.train(&[]);
    let rows = fs::read_to_string(pfs.path().join("data/a.csv")).unwrap();
    let pfs = pfs.file("data/a.csv", rows.replacen("4.9,3.0,", "6.9,3.0,", 1));
    let (status, out, err) = pfs.verify(&[]);
    assert_eq!(status, Some(1), "{out}{err}");
    assert!(out.starts_with("changed     a.csv\n"), "{out}");
    assert!(!out.contains("b.csv"), "{out}");
    assert!(out.contains("differs     data.sha256\n"), "{out}");
    assert!(out.contains("differs     model.onnx\n"), "{out}");
    let last = err.lines().last().unwrap();
    assert!(last.contains("were not made again byte for byte"), "{last}");
}

#[test]
fn another_seed_is_told_and_gives_another_model() {
    let pfs = Pfs::with_csv(mixed_csv());
    pfs.train(&[]);
    let pfs = pfs.file("e.yaml", "seed: 1\n");
    let (status, out, err) = pfs.verify(&["--config", "/pfs/e.yaml"]);
    assert_eq!(status, Some(1), "{out}{err}");
    assert!(out.starts_with("seed        recorded 0, here 1\n"), "{out}");
    assert!(out.contains("equal       data.sha256\n"), "{out}");
    assert!(out.contains("differs     model.onnx\n"), "{out}");
}

#[test]
fn pictures_are_made_again_and_every_input_is_told() {
    let pfs = colours(|class, number| format!("{class}/{number}.png"));
    let image = "registry.example/train:1";
    let output = pfs
        .command()
        .args(["--config", "/pfs/experiment.yaml", "--image", image])
        .args(["--revision", "4f1c"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{:?}", texts(&output));
    let (status, out, err) = pfs.verify(&["--revision", "5e2d"]);
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(
        out.starts_with(&format!(
            "image       recorded {image}, here none\nrevision    recorded 4f1c, here 5e2d\n"
        )),
        "{out}"
    );
    let pfs = pfs
        .file("data/red/new.png", png([200, 1, 1], 9))
        .file("data/blue/0.png", png([1, 1, 200], 9));
    fs::remove_file(pfs.path().join("data/red/3.png")).unwrap();
    let description = pfs.path().join("backbone/backbone.json");
    let text = fs::read_to_string(&description).unwrap();
    fs::write(&description, text.replace("CC0-1.0", "MIT")).unwrap();
    let found = as_json(&pfs, &[]);
    let inputs = &found["inputs"];
    assert_eq!(inputs["missing"], json!(["red/3.png"]));
    assert_eq!(inputs["changed"], json!(["blue/0.png"]));
    assert_eq!(inputs["extra"], json!(["red/new.png"]));
    assert!(inputs["others"]["backbone digest"].is_object(), "{inputs}");
    assert_eq!(found["equal"], false);
}

#[test]
fn what_cannot_be_made_again_is_refused() {
    let pfs = Pfs::iris();
    let (status, _, err) = pfs.verify(&[]);
    assert_eq!(status, Some(1));
    assert!(err.contains("there is no model package"), "{err}");
    pfs.train(&[]);
    fs::remove_file(pfs.path().join("data/a.csv")).unwrap();
    let (status, out, err) = pfs.verify(&[]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.contains("cannot read what it was made of"), "{err}");
    let graph = pfs.out().join("model/model.onnx");
    fs::write(graph, "").unwrap();
    let (_, _, err) = pfs.verify(&[]);
    assert!(err.contains("is damaged"), "{err}");
}

#[test]
fn what_the_report_compares_with_is_wanted() {
    let first = Pfs::iris();
    first.train(&["--job-id", "first"]);
    let before = first.out();
    let before = before.to_str().unwrap();
    let second = Pfs::iris();
    second.train(&["--previous", before]);
    let (status, _, err) = second.verify(&[]);
    assert_eq!(status, Some(1));
    assert!(
        err.contains("compares with first: name the package of that one with --previous"),
        "{err}"
    );
    let (status, out, err) = second.verify(&["--previous", before]);
    assert_eq!(status, Some(0), "{out}{err}");
    let (status, out, _) = first.verify(&["--previous", second.out().to_str().unwrap()]);
    assert_eq!(status, Some(1));
    assert!(
        out.starts_with(&format!("previous    recorded none, here {VERSION}\n")),
        "{out}"
    );
}

/// As `sha256sum --check` reads it.
#[test]
fn the_list_of_data_files_is_one_of_sha256sum() {
    let pfs = colours(|class, number| format!("{class}/a {number}.png"));
    pfs.train(&["--config", "/pfs/experiment.yaml"]);
    let check = |expected: bool| {
        let status = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet"])
            .arg(pfs.out().join("model/data.sha256"))
            .current_dir(pfs.path().join("data"))
            .output()
            .unwrap()
            .status;
        assert_eq!(status.success(), expected);
    };
    check(true);
    fs::write(pfs.path().join("data/red/a 1.png"), "").unwrap();
    check(false);
}
