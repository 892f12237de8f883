//! The use case iris, from its files to predictions.

use std::fs;

use crate::common::{Pfs, VERSION, either_csv, mixed_csv, predict, regression_csv, use_case};
use model::{Cell, Digest, Inventory, ModelInfo, Package, Task};

#[test]
fn from_files_to_predictions() {
    let experiment = fs::read(use_case("experiment.yaml")).unwrap();
    let pfs = Pfs::iris().file("experiment/experiment.yaml", experiment);
    let (result, talk) = pfs.train(&["--config", "/pfs/experiment/experiment.yaml"]);
    assert!(
        result.contains("model       iris\n") && result.contains(VERSION),
        "{result}"
    );
    assert!(
        talk.contains("120 rows to learn from, 30 held out"),
        "{talk}"
    );
    assert!(!talk.contains("warning"), "{talk}");

    let metrics = pfs.metrics();
    assert!(metrics["accuracy"].as_f64().unwrap() >= 0.93, "{metrics}");
    assert_eq!(metrics["held_out_rows"], 30);
    assert_eq!(metrics["task"], "classification");
    let matrix = metrics["confusion_matrix"].as_array().unwrap();
    let rows: u64 = matrix
        .iter()
        .flat_map(|r| r.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(rows, 30);

    let package = pfs.package();
    let row = |numbers: [f64; 4]| numbers.map(Cell::Number).to_vec();
    let rows = [
        row([5.1, 3.5, 1.4, 0.2]),
        row([5.7, 2.8, 4.1, 1.3]),
        row([6.3, 3.3, 6.0, 2.5]),
    ];
    for (class, probabilities) in predict(&package, &rows).iter().enumerate() {
        assert!(probabilities[class] > 0.8, "{class}: {probabilities:?}");
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn the_documents_agree_with_each_other_and_the_job() {
    let pfs = Pfs::iris();
    pfs.train(&[]);
    let info = ModelInfo::read(&pfs.out().join("model-info.yaml")).unwrap();
    let package = Package::open_pinned(&pfs.out().join("model"), info.digest.unwrap()).unwrap();
    let manifest = package.manifest;
    assert_eq!(
        (info.name.as_str(), info.version.as_str()),
        ("iris", VERSION)
    );
    assert_eq!(
        (info.pipeline.as_str(), info.repo.as_str()),
        ("iris-model", "iris-data")
    );
    assert_eq!(
        info.uri.as_deref(),
        Some(format!("s3://{VERSION}.master.iris-model/model").as_str())
    );
    assert_eq!(info.data_commit.as_deref(), Some("c0ffee"));
    assert_eq!(info.metrics, manifest.metrics);
    assert_eq!(
        (manifest.task, manifest.target.as_str()),
        (Task::Classification, "species")
    );
    assert_eq!(manifest.labels, ["setosa", "versicolor", "virginica"]);
    assert_eq!(
        (
            manifest.inputs[0].name.as_str(),
            &manifest.inputs[0].shape[..]
        ),
        ("columns", &[-1, 4][..])
    );
    assert_eq!(
        (
            manifest.outputs[0].name.as_str(),
            &manifest.outputs[0].shape[..]
        ),
        ("probabilities", &[-1, 3][..])
    );
    let provenance = manifest.provenance;
    let data = Inventory::read(&pfs.out().join("model/data.sha256")).unwrap();
    assert_eq!(
        data.0["a.csv"],
        Digest::of(&fs::read(use_case("data/iris.csv")).unwrap())
    );
    let recorded = provenance.data_files.unwrap();
    assert_eq!((recorded.count, recorded.digest), (1, data.digest()));
    assert_eq!(provenance.uri, info.uri);
    assert_eq!(provenance.config["target"], "species");
    assert_eq!(provenance.config["hyperparameters"]["l2"], 1.0);
    assert_eq!(
        provenance.trained_by,
        concat!("train ", env!("CARGO_PKG_VERSION"))
    );
    let reference = pfs.package().reference.unwrap();
    let reference = monitor::Reference::read(&reference).unwrap();
    assert_eq!((reference.rows, reference.features.len()), (120, 4));
    assert_eq!(
        manifest.files.keys().collect::<Vec<_>>(),
        [
            "data.sha256",
            "metrics.json",
            "model.onnx",
            "reference.json",
            "report.html"
        ]
    );
}

#[test]
fn the_report_is_one_file_with_pictures_and_tables() {
    let pfs = Pfs::iris();
    pfs.train(&[]);
    let report = pfs.report();
    for part in [
        "<!DOCTYPE html>",
        "role=\"img\"",
        "prefers-color-scheme: dark",
        "versicolor",
        "petal_width",
        VERSION,
    ] {
        assert!(report.contains(part), "{part}");
    }
    for outside in ["<script", "<link", "src=", "@import", "url("] {
        assert!(!report.contains(outside), "{outside}");
    }
    let addresses = report.replace("http://www.w3.org/2000/svg", "");
    assert!(
        !addresses.contains("http"),
        "the name of SVG is the only address"
    );
}

/// A descriptor that leaves values open sets variables to nothing.
#[test]
fn a_variable_without_a_value_says_nothing() {
    let pfs = Pfs::iris();
    let mut command = pfs.command();
    for name in [
        "TRAIN_CACHE",
        "TRAIN_CONFIG",
        "TRAIN_DATA",
        "TRAIN_ENGINE",
        "TRAIN_LAST_MODEL",
        "TRAIN_PREVIOUS",
        "TRAIN_PROMOTE_IF",
        "TRAIN_REGISTRY",
        "PEER_PORT",
        "PPS_PROJECT_NAME",
    ] {
        command.env(name, "");
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{:?}",
        crate::common::texts(&output)
    );
}

#[test]
fn a_second_run_does_nothing_and_another_version_is_refused() {
    let pfs = Pfs::iris();
    pfs.train(&[]);
    let before = crate::common::tree(&pfs.out());
    let (result, _) = pfs.train(&[]);
    assert!(
        result.contains("is published already") && result.contains("nothing to do"),
        "{result}"
    );
    let output = pfs.command().env("PACH_JOB_ID", "other").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        crate::common::texts(&output)
            .1
            .contains("give an empty output folder")
    );
    assert_eq!(crate::common::tree(&pfs.out()), before);
}

#[test]
fn without_a_job_the_version_follows_the_inputs() {
    let version = |pfs: &Pfs, args: &[&str]| {
        let output = pfs
            .command()
            .env_remove("PACH_JOB_ID")
            .args(args)
            .output()
            .unwrap();
        assert!(
            crate::common::texts(&output)
                .1
                .contains("PACH_JOB_ID is not set")
        );
        pfs.package().manifest.version
    };
    let first = version(&Pfs::iris(), &[]);
    assert_eq!(first.len(), 32);
    assert_eq!(first, version(&Pfs::iris(), &[]));
    let pfs = Pfs::iris().file("e.yaml", "seed: 1\n");
    assert_ne!(first, version(&pfs, &["--config", "/pfs/e.yaml"]));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let train = |rows: String, kind: &str| {
        let pfs = Pfs::with_csv(rows);
        let (_, err) = pfs.train(&[]);
        assert!(err.contains(kind), "{err}");
        crate::common::tree(&pfs.out())
    };
    let iris = fs::read_to_string(use_case("data/iris.csv")).unwrap();
    for (rows, kind) in [
        (iris, "fitted a logistic regression"),
        (regression_csv(), "fitted a ridge regression"),
        (mixed_csv(), "boosted trees"),
        (either_csv(), "boosted trees"),
    ] {
        assert_eq!(train(rows.clone(), kind), train(rows, kind));
    }
}

#[test]
fn usage_errors_exit_with_2_and_the_version_with_0() {
    let pfs = Pfs::iris();
    for args in [
        &["--model", "../x"][..],
        &["--engine", "gpu"],
        &["--nonsense"],
    ] {
        assert_eq!(
            pfs.command().args(args).output().unwrap().status.code(),
            Some(2),
            "{args:?}"
        );
    }
    let output = pfs.command().arg("--version").output().unwrap();
    assert_eq!(
        crate::common::texts(&output).0,
        concat!("train ", env!("CARGO_PKG_VERSION"), "\nengine: built-in\n")
    );
    assert_eq!(output.status.code(), Some(0));
}
