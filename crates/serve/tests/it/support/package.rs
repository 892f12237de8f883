//! Packages to serve.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::{
    Column, ColumnKind, Datatype, Digest, FORMAT, FORMAT_VERSION, GRAPH_FILE, ImageInput,
    MAX_PIXELS, Manifest, Preprocessing, Provenance, REFERENCE_FILE, Resampling, TOKENIZER_FILE,
    Table, Task, TensorSignature, TextInput, write_package,
};
use monitor::{Kind, Measure, Reference};
use tempfile::TempDir;

use super::onnx;

/// The version of every package here.
pub(crate) const VERSION: &str = "2c0d5a3c8e5f";

/// A package in a folder of its own, removed when dropped.
pub(crate) struct Package {
    _folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
}

/// What differs between the packages.
struct Model<'a> {
    name: &'a str,
    labels: &'a [&'a str],
    columns: Vec<Column>,
    weights: &'a [&'a [f32]],
    bias: &'a [f32],
    fill: &'a [f32],
    reference: Option<Reference>,
}

/// Four numbers in, three classes out: with the last two columns p and q, the
/// probabilities are 1 - p/8, p/8 - q/4 and q/4.
pub(crate) fn iris() -> Package {
    flowers(None)
}

/// As [`iris()`], which learned from a thousand flowers: lengths 4 to 6, widths 2
/// to 4, petals 1 to 7 and 0 to 2.5, each value as frequent as the others.
pub(crate) fn watched() -> Package {
    let features = FLOWER.map(|name| (name.to_owned(), Kind::Numeric));
    let rows: Vec<f32> = (0..1000_u16).flat_map(flower).collect();
    flowers(Some(Reference::describe(
        &features,
        Measure::Highest,
        &rows,
    )))
}

/// What is known of a flower.
const FLOWER: [&str; 4] = ["sepal_length", "sepal_width", "petal_length", "petal_width"];

fn flowers(reference: Option<Reference>) -> Package {
    let none: &[f32] = &[0.0; 3];
    package(&Model {
        name: "iris",
        labels: &["setosa", "versicolor", "virginica"],
        columns: FLOWER.map(|name| numeric(name, false)).into(),
        weights: &[none, none, &[-0.125, 0.125, 0.0], &[0.0, -0.25, 0.25]],
        bias: &[1.0, 0.0, 0.0],
        fill: &[0.0; 4],
        reference,
    })
}

/// One of the flowers that [`watched()`] has learned from.
pub(crate) fn flower(number: u16) -> [f32; 4] {
    let part = |prime: u16| f32::from(number.wrapping_mul(prime) % 100) / 100.0;
    [
        4.0 + 2.0 * part(7),
        2.0 + 2.0 * part(13),
        1.0 + 6.0 * part(29),
        2.5 * part(43),
    ]
}

/// A number and a text in: yes = length/4 + (1/2 for red). A missing length is 1.
pub(crate) fn mixed() -> Package {
    let colours = ["blue", "red"].map(str::to_owned).into();
    let colour = Column {
        name: "colour".to_owned(),
        kind: ColumnKind::Categorical {
            categories: colours,
        },
        missing: false,
    };
    package(&Model {
        name: "mixed",
        labels: &["no", "yes"],
        columns: vec![numeric("length", true), colour],
        weights: &[&[-0.25, 0.25], &[-0.5, 0.5]],
        bias: &[1.0, 0.0],
        fill: &[1.0, 0.0],
        reference: None,
    })
}

/// A regression that gives its only column back.
pub(crate) fn identity() -> Package {
    scaled("identity", 1.0)
}

/// As [`identity()`] for positive numbers, by an operator that only ONNX Runtime has.
pub(crate) fn positive() -> Package {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    write_graph(&path, "positive", VERSION, onnx::celu());
    let digest = model::Package::open(&path).unwrap().manifest.digest;
    Package {
        _folder: folder,
        path,
        digest,
    }
}

/// A regression that gives twice its only column, which may be too large.
pub(crate) fn double() -> Package {
    scaled("double", 2.0)
}

/// A regression that gives twice its only column, and takes its time.
pub(crate) fn deep() -> Package {
    let table = Table {
        columns: vec![numeric("x", false)],
    };
    let mut manifest = manifest("deep", &[], Preprocessing::Table(table));
    manifest.task = Task::Regression;
    manifest.inputs = vec![signature("columns", 1)];
    manifest.outputs = vec![signature("prediction", 1)];
    let graph = onnx::deep(512, 12, 2.0);
    written(manifest, &BTreeMap::from([(GRAPH_FILE.to_owned(), graph)]))
}

/// Writes a package of a regression that gives `factor` times its only column.
pub(crate) fn write(at: &Path, name: &str, version: &str, factor: f32) {
    let graph = onnx::linear(&[&[factor]], &[0.0], &[0.0], "prediction");
    write_graph(at, name, version, graph);
}

fn write_graph(at: &Path, name: &str, version: &str, graph: Vec<u8>) {
    let table = Table {
        columns: vec![numeric("x", false)],
    };
    let mut manifest = manifest(name, &[], Preprocessing::Table(table));
    version.clone_into(&mut manifest.version);
    manifest.task = Task::Regression;
    manifest.inputs = vec![signature("columns", 1)];
    manifest.outputs = vec![signature("prediction", 1)];
    let files = BTreeMap::from([(GRAPH_FILE.to_owned(), graph)]);
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    write_package(at, manifest, &files).unwrap();
}

fn scaled(name: &str, factor: f32) -> Package {
    package(&Model {
        name,
        labels: &[],
        columns: vec![numeric("x", false)],
        weights: &[&[factor]],
        bias: &[0.0],
        fill: &[0.0],
        reference: None,
    })
}

fn numeric(name: &str, missing: bool) -> Column {
    Column {
        name: name.to_owned(),
        kind: ColumnKind::Numeric,
        missing,
    }
}

fn package(model: &Model<'_>) -> Package {
    let (task, output) = match model.labels {
        [] => (Task::Regression, "prediction"),
        _ => (Task::Classification, "probabilities"),
    };
    let graph = onnx::linear(model.weights, model.bias, model.fill, output);
    let mut files = BTreeMap::from([(GRAPH_FILE.to_owned(), graph)]);
    if let Some(reference) = &model.reference {
        files.insert(REFERENCE_FILE.to_owned(), reference.write().unwrap());
    }
    let table = Table {
        columns: model.columns.clone(),
    };
    let mut manifest = manifest(model.name, model.labels, Preprocessing::Table(table));
    manifest.task = task;
    manifest.inputs = vec![signature("columns", model.weights.len())];
    manifest.outputs = vec![signature(output, model.bias.len())];
    written(manifest, &files)
}

/// A picture of one pixel in, its red, green and blue out, in parts of 256. It has
/// learned from middle greys.
pub(crate) fn colours() -> Package {
    colours_by(onnx::pixel())
}

/// As [`colours()`], by a graph that ONNX Runtime does not take.
pub(crate) fn later_colours() -> Package {
    colours_by(onnx::later_pixel())
}

fn colours_by(graph: Vec<u8>) -> Package {
    let image = ImageInput {
        width: 1,
        height: 1,
        crop: 1.0,
        resampling: Resampling::Bilinear,
        mean: [0.0; 3],
        std: [256.0; 3],
        max_pixels: MAX_PIXELS,
    };
    let labels = ["red", "green", "blue"];
    let mut manifest = manifest("colours", &labels, Preprocessing::Image(image));
    let mut input = signature("pixels", 3);
    input.shape.extend([1, 1]);
    manifest.inputs = vec![input];
    manifest.outputs = vec![
        signature("probabilities", labels.len()),
        signature("embedding", 3),
    ];
    let features = ["0", "1", "2"].map(|name| (name.to_owned(), Kind::Numeric));
    let grey = |number: u8| [-f32::from(number) / 256.0; 3];
    let rows: Vec<f32> = (100..156).flat_map(grey).collect();
    let reference = Reference::describe(&features, Measure::RootMeanSquare, &rows);
    let files = BTreeMap::from([
        (GRAPH_FILE.to_owned(), graph),
        (REFERENCE_FILE.to_owned(), reference.write().unwrap()),
    ]);
    written(manifest, &files)
}

/// The side of the pictures of [`convolutions()`], in pixels.
pub(crate) const SIDE: u32 = 64;

/// A picture in, the means of what some convolutions make of it out.
pub(crate) fn convolutions() -> Package {
    let image = ImageInput {
        width: SIDE,
        height: SIDE,
        crop: 1.0,
        resampling: Resampling::Bilinear,
        mean: [127.0; 3],
        std: [64.0; 3],
        max_pixels: MAX_PIXELS,
    };
    let labels: Vec<String> = (0..32).map(|label| label.to_string()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let mut manifest = manifest("convolutions", &labels, Preprocessing::Image(image));
    let mut input = signature("pixels", 3);
    input.shape.extend([i64::from(SIDE); 2]);
    manifest.inputs = vec![input];
    manifest.outputs = vec![signature("probabilities", labels.len())];
    let graph = onnx::convolutions(labels.len(), 4);
    written(manifest, &BTreeMap::from([(GRAPH_FILE.to_owned(), graph)]))
}

/// A text in; out, how often it says `fell` and how often `rose`, the first 8
/// words of it.
pub(crate) fn words() -> Package {
    let labels = ["down", "up"];
    let input = TextInput { max_tokens: 8 };
    let mut manifest = manifest("words", &labels, Preprocessing::Text(input));
    manifest.inputs = vec![TensorSignature {
        name: "input_ids".to_owned(),
        datatype: Datatype::Int64,
        shape: vec![-1, -1],
    }];
    manifest.outputs = vec![signature("probabilities", labels.len())];
    let none: &[f32] = &[0.0; 2];
    let graph = onnx::token_sum(&[none, none, &[1.0, 0.0], &[0.0, 1.0]], labels.len());
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": null,
        "model": {
            "type": "WordLevel", "unk_token": "[UNK]",
            "vocab": {"[PAD]": 0, "[UNK]": 1, "fell": 2, "rose": 3}
        }
    });
    let files = BTreeMap::from([
        (GRAPH_FILE.to_owned(), graph),
        (
            TOKENIZER_FILE.to_owned(),
            tokenizer.to_string().into_bytes(),
        ),
    ]);
    written(manifest, &files)
}

fn manifest(name: &str, labels: &[&str], preprocessing: Preprocessing) -> Manifest {
    Manifest {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        digest: Digest::of(b"filled in when it is written"),
        name: name.to_owned(),
        version: VERSION.to_owned(),
        task: Task::Classification,
        target: "target".to_owned(),
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        preprocessing,
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.75)]),
        provenance: Provenance {
            repo: format!("{name}-data"),
            pipeline: format!("{name}-train"),
            data_commit: Some("7d4a".to_owned()),
            data: BTreeMap::from([("data.csv".to_owned(), Digest::of(b"rows"))]),
            trained_by: "train 0.0.1".to_owned(),
            ..Provenance::default()
        },
        files: BTreeMap::new(),
    }
}

fn written(manifest: Manifest, files: &BTreeMap<String, Vec<u8>>) -> Package {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let digest = write_package(&path, manifest, files).unwrap();
    Package {
        _folder: folder,
        path,
        digest,
    }
}

fn signature(name: &str, width: usize) -> TensorSignature {
    TensorSignature {
        name: name.to_owned(),
        datatype: Datatype::Fp32,
        shape: vec![-1, width.try_into().unwrap()],
    }
}

impl Package {
    /// Changes one byte of the graph.
    pub(crate) fn damage(&self) {
        let path = self.path.join(GRAPH_FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.last_mut().unwrap();
        *last ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    /// The folder as a text.
    pub(crate) fn folder(&self) -> &str {
        Path::to_str(&self.path).unwrap()
    }
}
