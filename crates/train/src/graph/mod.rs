//! The fitted model as one ONNX graph, from raw columns to outputs.
//!
//! | name | shape | what it is |
//! | --- | --- | --- |
//! | `columns` | `[rows, columns]` | input: numbers, positions of categories, NaN where missing |
//! | `numbers` | `[rows, numeric]` | the numeric columns, missing ones as the median |
//! | `scaled` | `[rows, numeric]` | the same with mean 0 and deviation 1 |
//! | `categories` | `[rows, all categories]` | one-hot; all 0 where missing |
//! | `missing` | `[rows, columns with gaps]` | 1 where the value is missing |
//! | `features` | `[rows, features]` | the former three side by side |
//! | `scores` | `[rows, outputs]` | `features · weights + bias` |
//! | `probabilities` | `[rows, classes]` | output of a classification |
//! | `prediction` | `[rows, 1]` | output of a regression |

mod build;
mod onnx;

use build::Builder;
use model::{Datatype, TensorSignature};
use ndarray::Array2;

use crate::local::{Encoder, FARTHEST, Fitted, Linear, Scale};

/// The graph's input.
const COLUMNS: &str = "columns";

/// The input of a graph that takes `columns` columns.
pub(crate) fn input(columns: usize) -> TensorSignature {
    signature(COLUMNS, columns)
}

/// The output of the graph of `linear`.
pub(crate) fn output(linear: &Linear) -> TensorSignature {
    match linear.scale {
        Some(_) => signature("prediction", 1),
        None => signature("probabilities", linear.bias.len()),
    }
}

fn signature(name: &str, width: usize) -> TensorSignature {
    TensorSignature {
        name: name.to_owned(),
        datatype: Datatype::Fp32,
        shape: vec![-1, i64::try_from(width).unwrap_or(i64::MAX)],
    }
}

/// The bytes of the ONNX graph of `fitted`, which takes `columns` columns.
pub(crate) fn export(fitted: &Fitted, columns: usize) -> Vec<u8> {
    let mut graph = Builder::default();
    let parts = features(&mut graph, &fitted.encoder);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    graph.node_with("Concat", &parts, "features", &[("axis", 1)]);
    let linear = &fitted.linear;
    let weights = graph.matrix("weights", &to_f32(&linear.weights));
    let bias = graph.vector("bias", linear.bias.iter().copied().map(narrow).collect());
    graph.node("Gemm", &["features", &weights, &bias], "scores");
    let output = output(linear);
    match linear.scale {
        None => {
            graph.node_with("Softmax", &["scores"], &output.name, &[("axis", -1)]);
        }
        Some(Scale { mean, deviation }) => {
            let deviation = graph.vector("target_deviation", vec![deviation]);
            let mean = graph.vector("target_mean", vec![mean]);
            let unscaled = graph.node("Mul", &["scores", &deviation], "unscaled");
            graph.node("Add", &[&unscaled, &mean], &output.name);
        }
    }
    graph.finish(&input(columns), &output)
}

/// The names of the parts of `features`, in the encoder's order.
fn features(graph: &mut Builder, encoder: &Encoder) -> Vec<String> {
    let mut parts = Vec::new();
    if !encoder.numeric.is_empty() {
        parts.push(scaled(graph, encoder));
    }
    if !encoder.one_hot.is_empty() {
        let (positions, codes) = encoder.one_hot.iter().map(|o| (o.column, o.code)).unzip();
        let taken = graph.take(COLUMNS, "category_column", positions);
        let codes = graph.vector("category_code", codes);
        let same = graph.node("Equal", &[&taken, &codes], "is_category");
        parts.push(graph.float(&same, "categories"));
    }
    if !encoder.missing.is_empty() {
        let taken = graph.take(COLUMNS, "missing_column", encoder.missing.clone());
        let gaps = graph.node("IsNaN", &[&taken], "is_missing");
        parts.push(graph.float(&gaps, "missing"));
    }
    parts
}

fn scaled(graph: &mut Builder, encoder: &Encoder) -> String {
    let numeric = &encoder.numeric;
    let positions = numeric.iter().map(|n| n.column).collect();
    let taken = graph.take(COLUMNS, "numeric_column", positions);
    let medians = graph.vector("median", numeric.iter().map(|n| n.median).collect());
    let means = graph.vector("mean", numeric.iter().map(|n| n.mean).collect());
    let scales = graph.vector("scale", numeric.iter().map(|n| n.scale).collect());
    let (low, high) = (
        graph.scalar("lowest", -FARTHEST),
        graph.scalar("highest", FARTHEST),
    );
    let gaps = graph.node("IsNaN", &[&taken], "is_gap");
    let numbers = graph.node("Where", &[&gaps, &medians, &taken], "numbers");
    let centred = graph.node("Sub", &[&numbers, &means], "centred");
    let wide = graph.node("Div", &[&centred, &scales], "unclipped");
    graph.node("Clip", &[&wide, &low, &high], "scaled")
}

fn to_f32(matrix: &Array2<f64>) -> Array2<f32> {
    matrix.mapv(narrow)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the graph holds 32-bit numbers"
)]
fn narrow(number: f64) -> f32 {
    number as f32
}
