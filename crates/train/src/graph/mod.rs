//! The fitted model as one ONNX graph, from raw columns to outputs.
//!
//! | step | shape | what it is |
//! | --- | --- | --- |
//! | `columns` | `[rows, columns]` | input: numbers, positions of categories, NaN where missing |
//! | numbers | `[rows, numeric]` | the numeric columns, missing ones as the median |
//! | scaled | `[rows, numeric]` | for a linear model: mean 0 and deviation 1 |
//! | categories | `[rows, all categories]` | one-hot; all 0 where missing |
//! | missing | `[rows, columns with gaps]` | 1 where the value is missing |
//! | features | `[rows, features]` | the former side by side |
//! | scores | `[rows, outputs]` | `features · weights + bias`, or the sum of [`trees`] |
//! | `probabilities` | `[rows, classes]` | output of a classification |
//! | `prediction` | `[rows, 1]` | output of a regression |

mod read;
mod trees;

use fit::{Linear, Scale};
use model::{Datatype, TensorSignature};
use ndarray::Array2;
use onnx::{Attribute, Dim, ElementType, GraphBuilder};

pub(crate) use self::read::linear;
use crate::local::{Encoder, FARTHEST, Fitted};

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
    let mut graph = GraphBuilder::new("model", "");
    let dims = [Dim::Any("rows"), Dim::Fixed(columns)];
    graph.input(COLUMNS, ElementType::F32, &dims);
    let parts = features(&mut graph, &fitted.encoder, fitted.trees.is_none());
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let features = graph.node("Concat", &parts, axis(1));
    let linear = &fitted.linear;
    let scores = match &fitted.trees {
        Some(trees) => trees::scores(&mut graph, &features, trees),
        None => product(&mut graph, &features, linear),
    };
    let answer = match linear.scale {
        None => graph.node("Softmax", &[&scores], axis(-1)),
        Some(Scale { mean, deviation }) => {
            let deviation = graph.f32s("target_deviation", &[], &[deviation]);
            let mean = graph.f32s("target_mean", &[], &[mean]);
            let unscaled = graph.node("Mul", &[&scores, &deviation], vec![]);
            graph.node("Add", &[&unscaled, &mean], vec![])
        }
    };
    let dims = [Dim::Any("rows"), Dim::Fixed(linear.bias.len())];
    graph.output(&answer, &output(linear).name, ElementType::F32, &dims);
    onnx::encode(&graph.finish(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
}

fn product(graph: &mut GraphBuilder, features: &str, linear: &Linear) -> String {
    let weights = to_f32(&linear.weights);
    let values: Vec<f32> = weights.iter().copied().collect();
    let weights = graph.f32s("weights", weights.shape(), &values);
    let bias = vector(graph, "bias", linear.bias.iter().copied().map(narrow));
    graph.node("Gemm", &[features, &weights, &bias], vec![])
}

/// The names of the parts of the features, in the encoder's order.
fn features(graph: &mut GraphBuilder, encoder: &Encoder, scale: bool) -> Vec<String> {
    let mut parts = Vec::new();
    if !encoder.numeric.is_empty() {
        parts.push(numbers(graph, encoder, scale));
    }
    if !encoder.one_hot.is_empty() {
        let positions = encoder.one_hot.iter().map(|o| o.column);
        let taken = take(graph, COLUMNS, "category_column", positions);
        let codes = vector(
            graph,
            "category_code",
            encoder.one_hot.iter().map(|o| o.code),
        );
        let same = graph.node("Equal", &[&taken, &codes], vec![]);
        parts.push(float(graph, &same));
    }
    if !encoder.missing.is_empty() {
        let positions = encoder.missing.iter().copied();
        let taken = take(graph, COLUMNS, "missing_column", positions);
        let gaps = graph.node("IsNaN", &[&taken], vec![]);
        parts.push(float(graph, &gaps));
    }
    parts
}

fn numbers(graph: &mut GraphBuilder, encoder: &Encoder, scale: bool) -> String {
    let numeric = &encoder.numeric;
    let taken = take(
        graph,
        COLUMNS,
        "numeric_column",
        numeric.iter().map(|n| n.column),
    );
    let medians = vector(graph, "median", numeric.iter().map(|n| n.median));
    let gaps = graph.node("IsNaN", &[&taken], vec![]);
    let numbers = graph.node("Where", &[&gaps, &medians, &taken], vec![]);
    if !scale {
        return numbers;
    }
    let means = vector(graph, "mean", numeric.iter().map(|n| n.mean));
    let scales = vector(graph, "scale", numeric.iter().map(|n| n.scale));
    let low = graph.f32s("lowest", &[], &[-FARTHEST]);
    let high = graph.f32s("highest", &[], &[FARTHEST]);
    let centred = graph.node("Sub", &[&numbers, &means], vec![]);
    let wide = graph.node("Div", &[&centred, &scales], vec![]);
    graph.node("Clip", &[&wide, &low, &high], vec![])
}

fn axis(axis: i64) -> Vec<(&'static str, Attribute)> {
    vec![("axis", Attribute::Int(axis))]
}

/// A constant row of numbers.
fn vector(graph: &mut GraphBuilder, name: &str, values: impl Iterator<Item = f32>) -> String {
    let values: Vec<f32> = values.collect();
    graph.f32s(name, &[values.len()], &values)
}

/// The columns of `input` at `positions`; one position may come many times.
fn take(
    graph: &mut GraphBuilder,
    input: &str,
    name: &str,
    positions: impl Iterator<Item = usize>,
) -> String {
    let positions: Vec<i64> = positions.map(size).collect();
    let indices = graph.i64s(name, &[positions.len()], &positions);
    graph.node("Gather", &[input, &indices], axis(1))
}

/// Truth values as 0 and 1.
fn float(graph: &mut GraphBuilder, input: &str) -> String {
    let to = Attribute::Int(ElementType::F32 as i64);
    graph.node("Cast", &[input], vec![("to", to)])
}

fn size(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
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
