//! Trees as operations on tensors.
//!
//! | step | shape | what it is |
//! | --- | --- | --- |
//! | asked | `[rows, trees · questions]` | the feature of each question |
//! | answers | `[rows, trees, questions]` | 1 where it is above the border |
//! | places | `[rows, trees]` | the answers as digits, beginning at the tree's first leaf |
//! | leaves | `[rows, trees, outputs]` | what stands there |
//! | scores | `[rows, outputs]` | their sum |
//!
//! Places are computed in 32-bit floats, which are exact up to 2^24: more than a
//! million trees of four questions.

use fit::Trees;
use onnx::{Attribute, ElementType, GraphBuilder};

use super::{axis, float, size, take, vector};

/// The name of the scores of `trees`, which ask for `features`.
pub(super) fn scores(graph: &mut GraphBuilder, features: &str, trees: &Trees) -> String {
    let questions = || trees.trees.iter().flat_map(|tree| &tree.questions);
    let depth = trees.trees.first().map_or(0, |tree| tree.questions.len());
    let leaves = 1_usize << depth;
    let asked = take(graph, features, "asked", questions().map(|q| q.feature));
    let borders = vector(graph, "border", questions().map(|q| q.border));
    let above = graph.node("Greater", &[&asked, &borders], vec![]);
    let answers = float(graph, &above);
    let shape = [-1, size(trees.trees.len()), size(depth)];
    let shape = graph.i64s("answers_shape", &[3], &shape);
    let answers = graph.node("Reshape", &[&answers, &shape], vec![]);
    let digits = vector(
        graph,
        "digit",
        (0..depth).map(|level| (1_usize << level) as f32),
    );
    let worth = graph.node("Mul", &[&answers, &digits], vec![]);
    let last = graph.i64s("question_axis", &[1], &[2]);
    let places = sum(graph, &worth, &last);
    let begins = (0..trees.trees.len()).map(|tree| (tree * leaves) as f32);
    let begins = vector(graph, "first_leaf", begins);
    let places = graph.node("Add", &[&places, &begins], vec![]);
    let to = Attribute::Int(ElementType::I64 as i64);
    let places = graph.node("Cast", &[&places], vec![("to", to)]);
    let values = trees.trees.iter().flat_map(|tree| &tree.leaves);
    let values: Vec<f32> = values.copied().collect();
    let shape = [trees.trees.len() * leaves, trees.start.len()];
    let table = graph.f32s("leaves", &shape, &values);
    let found = graph.node("Gather", &[&table, &places], axis(0));
    let second = graph.i64s("tree_axis", &[1], &[1]);
    let scores = sum(graph, &found, &second);
    let start = vector(graph, "start", trees.start.iter().copied());
    graph.node("Add", &[&scores, &start], vec![])
}

/// The sum over one axis, which is left out then.
fn sum(graph: &mut GraphBuilder, input: &str, over: &str) -> String {
    let keep = vec![("keepdims", Attribute::Int(0))];
    graph.node("ReduceSum", &[input, over], keep)
}
