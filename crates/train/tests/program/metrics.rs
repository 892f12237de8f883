//! `metrics.json` against its schema, which is published in docs.

use std::fs;
use std::path::Path;

use crate::common::pictures::colours;
use crate::common::{Pfs, mixed_csv, regression_csv};
use jsonschema::Validator;
use serde_json::{Value, json};

/// The schema, in which an object may have the keys that are described and no others.
fn closed() -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.schema.json");
    let mut schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    close(&mut schema);
    jsonschema::draft202012::options().build(&schema).unwrap()
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(keys) => {
            keys.values_mut().for_each(close);
            if keys.get("type") == Some(&json!("object")) && keys.contains_key("properties") {
                keys.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[track_caller]
fn assert_valid(metrics: &Value) {
    let validator = closed();
    let errors = validator.iter_errors(metrics);
    let errors: Vec<String> = errors
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert_eq!(errors, [""; 0], "{metrics:#}");
}

#[test]
fn a_classification_of_a_table_is_described() {
    let pfs = Pfs::with_csv(mixed_csv());
    pfs.train(&[]);
    let metrics = pfs.metrics();
    assert_valid(&metrics);
    let points = metrics["learning_curve"]["points"].as_array().unwrap();
    let rows: Vec<u64> = points
        .iter()
        .map(|p| p["training_rows"].as_u64().unwrap())
        .collect();
    assert_eq!(rows, [40, 80, 160, 320]);
    assert_eq!(points[3]["value"], metrics["accuracy"]);
    let class = &metrics["classes"][0];
    let interval = class["recall_interval"].as_array().unwrap();
    let within = interval[0].as_f64() < class["recall"].as_f64()
        && class["recall"].as_f64() < interval[1].as_f64();
    assert!(within, "{class}");
    let mut wrong = metrics.clone();
    wrong["accuracy"] = json!("high");
    assert!(!closed().is_valid(&wrong), "the schema refuses nothing");
    let mut more = metrics;
    more["unknown"] = json!(1);
    assert!(!closed().is_valid(&more), "the schema is not closed");
}

#[test]
fn a_regression_is_described() {
    let pfs = Pfs::with_csv(regression_csv());
    pfs.train(&[]);
    let metrics = pfs.metrics();
    assert_valid(&metrics);
    assert_eq!(metrics["learning_curve"]["figure"], "rmse");
    assert_eq!(metrics["data"]["suspected_labels"], Value::Null);
}

/// One picture is there three times, once with another label.
#[test]
fn pictures_are_described_with_their_oddities() {
    let pfs = colours(|class, number| format!("{class}/{number}.png"));
    let wrong = fs::read(pfs.path().join("data/red/3.png")).unwrap();
    let pfs = pfs
        .file("data/blue/again.png", &wrong)
        .file("data/red/again.png", &wrong);
    pfs.train(&["--config", "/pfs/experiment.yaml"]);
    let metrics = pfs.metrics();
    assert_valid(&metrics);
    assert_eq!(metrics["data"]["alike_groups"], 1);
    assert_eq!(metrics["data"]["alike_rows"], 3);
    assert_eq!(metrics["data"]["alike_groups_that_differ"], 1);
    let report = pfs.report();
    assert!(report.contains("Alike, or nearly so") && report.contains("blue/again.png"));
}

#[test]
fn a_label_that_is_wrong_is_suspected() {
    let mut csv = "x,y\n".to_owned();
    for row in 0..200 {
        let (x, label) = (row % 20, if row % 20 < 10 { "low" } else { "high" });
        csv += &format!("{x}.{row},{}\n", if row == 58 { "low" } else { label });
    }
    let pfs = Pfs::with_csv(csv).file("e.yaml", "target: y\nsplit: 0.02\nseed: 1\n");
    pfs.train(&["--config", "/pfs/e.yaml"]);
    assert_eq!(pfs.metrics()["data"]["suspected_labels"], 1);
    assert!(pfs.report().contains("a.csv:60"), "the row is not shown");
}

#[test]
fn a_version_is_compared_with_the_one_before() {
    let first = Pfs::with_csv(mixed_csv());
    first.train(&["--job-id", "first", "--previous", "/pfs/out"]);
    assert!(first.metrics().get("previous").is_none());
    let mut csv = mixed_csv();
    csv += "9.0,blue,large\n";
    let second = Pfs::with_csv(csv);
    let before = first.out();
    second.train(&["--previous", before.to_str().unwrap()]);
    let metrics = second.metrics();
    assert_valid(&metrics);
    assert_eq!(metrics["previous"]["version"], "first");
    assert_eq!(
        metrics["previous"]["figures"]["accuracy"],
        first.metrics()["accuracy"]
    );
    let report = second.report();
    assert!(
        report.contains("Compared with the version before"),
        "{report}"
    );
    assert!(report.contains("1 changed and 0 gone"), "{report}");
    let description = before.join("model/model.json");
    let text = fs::read_to_string(&description).unwrap();
    fs::write(
        &description,
        text.replace(r#""name": "iris""#, r#""name": "other""#),
    )
    .unwrap();
    let third = Pfs::with_csv(mixed_csv());
    let error = third.refused(&["--previous", before.to_str().unwrap()]);
    assert!(error.contains("give another --previous"), "{error}");
}
