//! The exported graphs against ONNX Runtime, the reference of the format.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::common::pictures::{EXPERIMENT, colours, png};
use crate::common::python::{self, run};
use crate::common::texts::{sentences, with_words};
use crate::common::{CONFIG, Pfs, backbones, either_csv, encode, mixed_csv, regression_csv};
use backbone::Backbone;
use model::{
    Cell, Copies, ImageInput, Input, OnnxRuntime, Package, Preprocessing, Session, Tensor,
    TensorSignature, Tokenizer,
};
use serde_json::{Value, json};

/// What reads graphs, and what runs them.
const PACKAGES: [&str; 2] = ["onnx==1.23.2", "onnxruntime==1.31.1"];

/// A Python with the two packages, made once below the target folder.
fn installed() -> &'static Path {
    // The tests that want it begin at the same time.
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| python::python("onnxruntime", &PACKAGES))
}

/// Runs a graph on both engines of serve, and compares all outputs.
fn engines(
    python: &Path,
    graph: &[u8],
    (inputs, outputs): (&[TensorSignature], &[TensorSignature]),
    values: Vec<Input>,
) {
    let packages = python.ancestors().nth(2).unwrap().join("lib");
    let below = |folder: PathBuf| {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|it| it.unwrap().path())
    };
    let library = below(packages)
        .flat_map(|version| below(version.join("site-packages/onnxruntime/capi")))
        .find(|path| path.to_string_lossy().contains("libonnxruntime.so."))
        .expect("the package has a library");
    let library = OnnxRuntime::load(&library, 2).unwrap();
    let library = library
        .open(Copies::Served, graph, inputs, outputs)
        .unwrap();
    assert!(
        library.engine().starts_with("onnxruntime 1."),
        "{library:?}"
    );
    let built_in = Session::open(graph.to_vec(), inputs, outputs).unwrap();
    let wanted = built_in.run_inputs(values.clone(), None).unwrap();
    let found = library.run_inputs(values, None).unwrap();
    assert_eq!((wanted.len(), found.len()), (outputs.len(), outputs.len()));
    for (wanted, found) in wanted.iter().zip(&found) {
        assert_eq!(wanted.shape, found.shape);
        let largest = wanted
            .values
            .iter()
            .fold(1.0, |most: f32, v| most.max(v.abs()));
        let pairs = wanted.values.iter().zip(&found.values);
        let apart = pairs.map(|(one, other)| (one - other).abs() / largest);
        let apart = apart.fold(0.0, f32::max);
        println!("{} values, {apart:.1e} apart", wanted.values.len());
        assert!(apart <= 1e-4, "{apart}");
    }
}

/// Runs the package's graph here and in ONNX Runtime, and compares all outputs.
fn compare(python: &Path, pfs: &Pfs, inputs: Vec<Input>) {
    let package = pfs.package();
    let manifest = &package.manifest;
    let session =
        Session::open(package.graph.clone(), &manifest.inputs, &manifest.outputs).unwrap();
    let given = manifest.inputs.iter().zip(&inputs);
    let given: Vec<Value> = given
        .map(|(signature, input)| {
            let (kind, shape, values) = match input {
                // JSON has no NaN; null stands for it.
                Input::Floats(tensor) => ("float32", &tensor.shape, json!(tensor.values)),
                Input::Integers(tensor) => ("int64", &tensor.shape, json!(tensor.values)),
                other => panic!("{other:?}"),
            };
            json!({"name": signature.name, "type": kind, "shape": shape, "values": values})
        })
        .collect();
    let outputs = session.run_inputs(inputs.clone(), None).unwrap();
    let signature = (manifest.inputs.as_slice(), manifest.outputs.as_slice());
    engines(python, &package.graph, signature, inputs);
    let wanted = manifest.outputs.iter().zip(&outputs);
    let wanted: Vec<Value> = wanted
        .map(|(signature, output)| {
            json!({"name": signature.name, "shape": output.shape, "values": output.values})
        })
        .collect();
    let case = pfs.path().join("case.json");
    std::fs::write(
        &case,
        json!({"inputs": given, "outputs": wanted}).to_string(),
    )
    .unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnxruntime.py");
    let graph = pfs.out().join("model/model.onnx");
    run(Command::new(python).arg(script).arg(graph).arg(case));
}

#[test]
#[ignore = "needs python3 with venv and pip, and a package index"]
fn the_graphs_are_valid_and_give_the_same() {
    let python = installed();
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
        let input = encode(&pfs.package(), &rows);
        compare(python, &pfs, vec![input.into()]);
    }
}

/// Backbone and head as the one graph that is published.
#[test]
#[ignore = "needs python3 with venv and pip, and a package index"]
fn the_joined_graphs_are_valid_and_give_the_same() {
    let python = installed();
    let pfs = colours(|class, number| format!("{class}/{number}.png"));
    pfs.train(&CONFIG);
    compare(python, &pfs, sample_of(&pfs.package()));
    for head in ["linear", "mlp", "kernel"] {
        let settings = format!(
            "{}\n",
            EXPERIMENT.replace("folds: 3", &format!("folds: 3, heads: [{head}]"))
        );
        let pfs = with_words(Pfs::new())
            .file("data/all.tsv", sentences())
            .file("experiment.yaml", settings);
        pfs.train(&CONFIG);
        compare(python, &pfs, sample_of(&pfs.package()));
    }
}

/// The real backbones, whose graphs are the largest that are shipped.
#[test]
#[ignore = "needs python3 with venv and pip, and a package index"]
fn the_backbones_give_the_same_on_both_engines() {
    let python = installed();
    for name in ["efficientnet-lite0", "all-minilm-l6-v2"] {
        let backbone = Backbone::open(&backbones(name).join(name)).unwrap();
        let description = &backbone.description;
        let inputs = &description.inputs;
        let values = sample(
            &description.preprocessing,
            backbone.tokenizer.as_deref(),
            inputs,
        );
        let outputs = std::slice::from_ref(&description.output);
        engines(python, &backbone.graph, (inputs, outputs), values);
    }
}

fn sample_of(package: &Package) -> Vec<Input> {
    let manifest = &package.manifest;
    let tokenizer = package.tokenizer.as_deref();
    sample(&manifest.preprocessing, tokenizer, &manifest.inputs)
}

/// Three pictures at once, or two texts of which one is filled up.
fn sample(
    preprocessing: &Preprocessing,
    tokenizer: Option<&[u8]>,
    inputs: &[TensorSignature],
) -> Vec<Input> {
    match preprocessing {
        Preprocessing::Image(image) => pixels(image),
        Preprocessing::Text(input) => {
            let tokenizer = Tokenizer::load(tokenizer.unwrap(), input).unwrap();
            let tokens = tokenizer.encode(&["the good day", "awful"]).unwrap();
            let input = |signature: &TensorSignature| tokens.input(&signature.name).unwrap();
            inputs.iter().map(input).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn pixels(image: &ImageInput) -> Vec<Input> {
    let mut values = Vec::new();
    for colour in [[190, 40, 5], [1, 2, 230], [100, 100, 100]] {
        image.encode(&png(colour, 3), &mut values).unwrap();
    }
    let shape = vec![3, 3, image.height as usize, image.width as usize];
    vec![Tensor { shape, values }.into()]
}
