//! Outlier scores in answers, drift of windows.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::package::{self, flower};
use crate::support::server::{Server, command};

const STATS: &str = "/v2/models/iris/stats";

fn seldon(row: [f32; 4]) -> String {
    json!({"data": {"ndarray": [row]}}).to_string()
}

/// What is known of the model's requests, once a window more is tested than before.
fn after_window(server: &Server, windows: u64) -> Value {
    let start = Instant::now();
    loop {
        let stats: Value = server.get(STATS).json();
        let monitoring = stats["model_stats"][0]["monitoring"].clone();
        if monitoring["drift"]["windows"] == windows {
            return monitoring;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{monitoring}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_answer_has_a_score() {
    let server = Server::start(&package::watched());
    let tags = |row| {
        let answer: Value = server.post("/predict", &seldon(row)).json();
        answer["meta"]["tags"].clone()
    };
    let usual = tags(flower(3));
    assert_eq!(usual["is_outlier"], false, "{usual}");
    assert!(usual["outlier_score"].as_f64().unwrap() < 2.0, "{usual}");
    let odd = tags([5.0, 3.0, 30.0, 1.0]);
    assert_eq!(odd["is_outlier"], true, "{odd}");
    assert!(odd["outlier_score"].as_f64().unwrap() > 10.0, "{odd}");

    // Of several rows, the oddest counts.
    let rows = [flower(3), [5.0, 3.0, 30.0, 1.0], flower(4)];
    let input = json!({"name": "columns", "datatype": "FP32", "shape": [3, 4], "data": rows});
    let request = json!({"inputs": [input]}).to_string();
    let answer: Value = server.post("/v2/models/iris/infer", &request).json();
    assert_eq!(answer["parameters"], odd);
}

#[test]
fn a_window_is_tested_when_it_is_full() {
    let package = package::watched();
    let mut server = Server::ready(command(package.folder()).args(["--detect-batch-size", "100"]));
    for number in 0..100 {
        server.post("/predict", &seldon(flower(number)));
    }
    let monitoring = after_window(&server, 1);
    let drift = &monitoring["drift"];
    assert_eq!(drift["drifted"], 0, "{drift}");
    assert_eq!(
        (&drift["last"]["rows"], &drift["untested"]),
        (&json!(100), &json!(0))
    );
    assert_eq!(monitoring["outliers"]["rows"], 100);

    for number in 0..100 {
        let [length, width, petal, _] = flower(number);
        server.post("/predict", &seldon([length, width, petal, 2.4]));
    }
    let drift = &after_window(&server, 2)["drift"];
    assert_eq!(drift["drifted"], 1, "{drift}");
    let p_value = |at: usize| drift["last"]["features"][at]["p_value"].as_f64().unwrap();
    assert!(p_value(0) > 0.01 && p_value(3) < 1e-6, "{drift}");
    let line = server.line("the requests have drifted");
    assert_eq!(line["feature"], "petal_width");

    let metrics = server.scrape("/metrics").body;
    for series in [
        "serve_rows_watched_total{package=\"iris\",",
        "serve_outlier_score_count{package=\"iris\",",
        "serve_drift_p_value{package=\"iris\",",
        "serve_drift_feature_p_value{feature=\"petal_width\",",
    ] {
        assert!(metrics.contains(series), "{series} in {metrics}");
    }
    let windows = metrics
        .lines()
        .filter(|l| l.starts_with("serve_drift_windows_total{"));
    assert_eq!(windows.count(), 3, "{metrics}");
}

#[test]
fn series_bear_the_name_that_is_served() {
    let (package, root) = (package::watched(), tempfile::tempdir().unwrap());
    let place = root.path().join("iris_1");
    fs::create_dir(&place).unwrap();
    for file in fs::read_dir(package.folder()).unwrap().flatten() {
        fs::copy(file.path(), place.join(file.file_name())).unwrap();
    }
    let settings = place.join("model-settings.json");
    fs::write(settings, r#"{"name": "iris_1"}"#).unwrap();
    let server = Server::ready(&mut command(root.path().to_str().unwrap()));
    server.post("/predict", &seldon(flower(3)));
    let metrics = server.scrape("/metrics").body;
    let series = "serve_outlier_score_count{package=\"iris_1\",";
    assert!(metrics.contains(series), "{metrics}");
    assert!(!metrics.contains("package=\"iris\""), "{metrics}");
}

#[test]
fn pictures_are_watched_by_their_embeddings() {
    let server = Server::start(&package::colours());
    let score = |pixel: [u8; 3]| {
        let tensor = json!({"shape": [1, 1, 1, 3], "values": pixel});
        let body = json!({"data": {"tensor": tensor}}).to_string();
        let answer: Value = server.post("/predict", &body).json();
        answer["meta"]["tags"]["outlier_score"].as_f64().unwrap()
    };
    let (grey, red) = (score([128; 3]), score([255, 0, 0]));
    assert!(grey < 0.1 && red > 3.0, "{grey}, {red}");
}

#[test]
fn it_can_be_turned_off() {
    let package = package::watched();
    let server = Server::ready(command(package.folder()).args(["--detect-batch-size", "0"]));
    let answer: Value = server
        .post("/predict", &seldon([5.0, 3.0, 30.0, 1.0]))
        .json();
    assert!(answer["meta"]["tags"].is_null(), "{answer}");
    let stats: Value = server.get(STATS).json();
    let expected = json!({"name": "iris", "version": package::VERSION, "monitoring": null});
    assert_eq!(stats["model_stats"], json!([expected]));
}
