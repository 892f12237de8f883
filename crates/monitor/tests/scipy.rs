//! Scores and tests beside those of scipy.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

#[path = "../../determined/tests/it/python.rs"]
mod python;

use std::fs;
use std::path::Path;
use std::process::Command;

use monitor::{Kind, Measure, Reference, Scorer, Window};
use serde_json::{Value, json};

/// The rows: 3 numbers and the position of one of 4 categories.
const WIDTH: usize = 4;

/// A number in [0, 1) for each call, always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        // Knuth's linear congruential generator; its upper bits are good enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Something like a normal, something skewed with many ties, something
    /// uniform, a category; each shifted by `shift`.
    fn row(&mut self, shift: f64) -> [f32; WIDTH] {
        let bell = (0..12).map(|_| self.next()).sum::<f64>() - 6.0 + shift;
        let skewed = (-self.next().ln() * 3.0).floor();
        let category = (self.next() * (3.0 + shift)).floor().min(3.0);
        [bell, skewed, self.next(), category].map(|value| value as f32)
    }

    fn rows(&mut self, count: usize, shift: f64) -> Vec<f32> {
        (0..count).flat_map(|_| self.row(shift)).collect()
    }
}

fn by_scipy(reference: &Reference, trained: &[f32], window: &[f32]) -> Value {
    let rows = |values: &[f32]| {
        values
            .chunks(WIDTH)
            .map(<[f32]>::to_vec)
            .collect::<Vec<_>>()
    };
    let case = json!({"reference": reference, "trained": rows(trained), "window": rows(window)});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.json");
    fs::write(&file, case.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.py");
    let output = Command::new(python::python("scipy", &["scipy==1.16.3"]))
        .arg(script)
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn near(ours: f64, theirs: &Value, what: &str) {
    let theirs = theirs.as_f64().unwrap();
    let close = (ours - theirs).abs() <= 1e-6 * theirs.abs().max(1.0);
    assert!(close, "{what}: {ours}, scipy says {theirs}");
}

#[test]
#[ignore = "needs python3 with venv and pip, and a package index"]
fn scores_and_tests_are_those_of_scipy() {
    let mut numbers = Numbers(7);
    let trained = numbers.rows(1000, 0.0);
    let features = ["bell", "skewed", "uniform"].map(|name| (name.to_owned(), Kind::Numeric));
    let mut features = features.to_vec();
    features.push(("category".to_owned(), Kind::Categorical(4)));
    let reference = Reference::describe(&features, Measure::Highest, &trained);
    let scorer = Scorer::new(&reference);
    for (shift, drifts) in [(0.0, false), (0.6, true)] {
        let rows = numbers.rows(200, shift);
        let mut window = Window::new(&reference);
        rows.chunks(WIDTH)
            .for_each(|row| window.add(&reference, row));
        let drift = window.test(&reference, 0.05);
        let scipy = by_scipy(&reference, &trained, &rows);
        for (ours, theirs) in drift
            .features
            .iter()
            .zip(scipy["features"].as_array().unwrap())
        {
            near(ours.statistic, &theirs["statistic"], &ours.name);
            near(ours.freedom as f64, &theirs["freedom"], &ours.name);
            near(ours.p_value, &theirs["p_value"], &ours.name);
        }
        assert_eq!(drift.drifted, drifts, "{drift:?}");
        for (row, theirs) in rows.chunks(WIDTH).zip(scipy["scores"].as_array().unwrap()) {
            let theirs = theirs.as_f64().unwrap();
            let ours = f64::from(scorer.score(row));
            assert!(
                (ours - theirs).abs() < 1e-4 * theirs.max(1.0),
                "{row:?}: {ours}, {theirs}"
            );
        }
    }
}
