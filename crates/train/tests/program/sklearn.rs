//! Tables against scikit-learn's own models of them, on the same splits.

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use crate::common::python::{self, run};
use crate::common::{Pfs, predict, table};
use model::{Cell, Package};
use serde_json::Value;

/// How far a model may be behind the better of the two.
const BEHIND: f64 = 0.01;

/// The tables, written by scikit-learn in a Python of its own.
fn tables() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sklearn");
    let python = python::python("sklearn/venv", &["scikit-learn==1.7.2"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundled_tables.py");
    run(Command::new(&python).arg(script).arg(&folder));
    folder
}

/// Accuracy, or R² of a regression, of `package` on the rows of a CSV file.
fn score(package: &Package, csv: &str) -> f64 {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let columns = table(package).columns.iter().map(|column| &column.name);
    let places: Vec<usize> = columns
        .map(|name| names.iter().position(|n| n == name).unwrap())
        .collect();
    let rows: Vec<Vec<&str>> = lines.collect();
    let cells = |row: &Vec<&str>| {
        places
            .iter()
            .map(|p| Cell::Number(row[*p].parse().unwrap()))
            .collect()
    };
    let said = predict(package, &rows.iter().map(cells).collect::<Vec<_>>());
    let right = rows.iter().map(|row| row[names.len() - 1]);
    let labels = &package.manifest.labels;
    if labels.is_empty() {
        let right: Vec<f64> = right.map(|value| value.parse().unwrap()).collect();
        let mean = right.iter().sum::<f64>() / right.len() as f64;
        let off = right
            .iter()
            .zip(&said)
            .map(|(r, s)| (r - f64::from(s[0])).powi(2));
        return 1.0 - off.sum::<f64>() / right.iter().map(|r| (r - mean).powi(2)).sum::<f64>();
    }
    let best = |row: &Vec<f32>| {
        (0..row.len())
            .max_by(|a, b| row[*a].total_cmp(&row[*b]))
            .unwrap()
    };
    let hits = right
        .zip(&said)
        .filter(|(right, row)| labels[best(row)] == *right);
    hits.count() as f64 / rows.len() as f64
}

#[test]
#[ignore = "needs python3 with venv and pip, and a package index"]
fn tables_are_told_apart_as_well_as_by_scikit_learn() {
    let folder = tables();
    let mut worst = f64::INFINITY;
    println!("table          ours   boosted  linear   ours, s  boosted, s  linear, s  to boosted");
    for name in ["iris", "wine", "breast_cancer", "digits", "diabetes"] {
        let read = |file: &str| fs::read_to_string(folder.join(name).join(file)).unwrap();
        let pfs = Pfs::with_csv(read("train.csv")).file("e.yaml", "target: target\nsplit: 0.05\n");
        let begin = Instant::now();
        let (_, talk) = pfs.train(&["--config", "/pfs/e.yaml"]);
        let seconds = begin.elapsed().as_secs_f64();
        let ours = score(&pfs.package(), &read("test.csv"));
        let figures: Value = serde_json::from_str(&read("figures.json")).unwrap();
        let figure = |key: &str| figures[key].as_f64().unwrap();
        let [boosted, linear] = ["boosted", "linear"].map(figure);
        let [slow, fast] = ["boosted_seconds", "linear_seconds"].map(figure);
        let ratio = seconds / slow;
        println!(
            "{name:<14} {ours:.4}  {boosted:.4}   {linear:.4}  {seconds:7.2}     {slow:7.2}    \
             {fast:7.2}      {ratio:6.2} x"
        );
        talk.lines()
            .filter(|l| l.contains("validation"))
            .for_each(|l| println!("    {l}"));
        worst = worst.min(ours - boosted.max(linear));
    }
    assert!(worst >= -BEHIND, "{worst}");
}
