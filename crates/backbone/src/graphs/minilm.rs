//! all-MiniLM-L6-v2, from token numbers to 384 numbers of length 1.
//!
//! [BERT] with six layers, then the mean over the tokens that are no padding, then
//! the division by the length, as `sentence-transformers` runs the model.
//!
//! That embedding is made to tell what a text is about. What else a text says stands in
//! the layers below as well, and in the single token that says it most: so the features
//! for a head are the mean and the highest value over the tokens, of three layers.
//!
//! [BERT]: https://arxiv.org/abs/1810.04805

use onnx::{Attribute, Dim, ElementType, GraphBuilder, ModelProto};

use super::{EMBEDDING, FEATURES, PRODUCER, VERSION};
use crate::weights::{Weights, WeightsError};

const LAYERS: usize = 6;
const HIDDEN: usize = 384;
const HEADS: usize = 12;
const INNER: usize = 1536;
const WORDS: usize = 30_522;
const POSITIONS: usize = 512;

/// Added to the variance before the root is taken.
const EPSILON: f32 = 1e-12;

/// Added to the score of a padding token, whose share then is 0.
const MASKED: f32 = -1e9;

/// The layers, counted from 1, behind which features are taken.
const FEATURE_LAYERS: [usize; 3] = [2, 4, 6];

/// The graph: inputs `input_ids` and `attention_mask` `[batch, tokens]`, outputs
/// `embedding` `[batch, 384]` and `features` `[batch, 2304]`.
pub(crate) fn minilm_l6(weights: &Weights) -> Result<ModelProto, WeightsError> {
    let mut graph = GraphBuilder::new("all-minilm-l6-v2", "");
    let shape = [Dim::Any("batch"), Dim::Any("tokens")];
    let ids = graph.input("input_ids", ElementType::I64, &shape);
    let mask = graph.input("attention_mask", ElementType::I64, &shape);
    let mut network = Network::new(weights, graph);
    let mask = network.node("Cast", &[&mask], vec![("to", Attribute::Int(1))]);
    let bias = network.bias_of(&mask);
    let mut value = network.embedded(&ids)?;
    let pool = network.pool(&mask);
    let (mut mean, mut features) = (String::new(), Vec::new());
    for layer in 0..LAYERS {
        value = network.layer(&value, &bias, &format!("encoder.layer.{layer}"))?;
        if FEATURE_LAYERS.contains(&(layer + 1)) {
            mean = network.mean(&value, &pool);
            features.push(mean.clone());
            features.push(network.highest(&value, &pool));
        }
    }
    let embedding = network.of_length_one(&mean);
    let features: Vec<&str> = features.iter().map(String::as_str).collect();
    let width = features.len() * HIDDEN;
    let features = network.node("Concat", &features, vec![("axis", Attribute::Int(1))]);
    let mut graph = network.graph;
    let shape = [Dim::Any("batch"), Dim::Fixed(HIDDEN)];
    graph.output(&embedding, EMBEDDING, ElementType::F32, &shape);
    let shape = [Dim::Any("batch"), Dim::Fixed(width)];
    graph.output(&features, FEATURES, ElementType::F32, &shape);
    Ok(graph.finish(PRODUCER, VERSION))
}

struct Network<'a> {
    weights: &'a Weights,
    graph: GraphBuilder,
    /// `[batch, tokens, heads, part]`.
    split: String,
    /// `[batch, tokens, hidden]`.
    merged: String,
    half: String,
    one: String,
    root_two: String,
}

/// The mask as pooling takes it.
struct Pool {
    /// The axis of the tokens.
    tokens: String,
    /// `[batch, tokens, 1]`: 1 for a token, 0 for padding.
    column: String,
    /// `[batch, 1]`: how many tokens there are.
    count: String,
    /// `[batch, tokens, 1]`: 0 for a token, [`MASKED`] for padding.
    padding: String,
}

/// An axis that is reduced is gone.
fn single() -> Vec<(&'static str, Attribute)> {
    vec![("keepdims", Attribute::Int(0))]
}

impl<'a> Network<'a> {
    fn new(weights: &'a Weights, mut graph: GraphBuilder) -> Self {
        let (heads, part) = (HEADS as i64, (HIDDEN / HEADS) as i64);
        Self {
            weights,
            split: graph.i64s("split", &[4], &[0, 0, heads, part]),
            merged: graph.i64s("merged", &[3], &[0, 0, HIDDEN as i64]),
            half: graph.f32s("half", &[], &[0.5]),
            one: graph.f32s("one", &[], &[1.0]),
            root_two: graph.f32s("root_two", &[], &[std::f32::consts::SQRT_2]),
            graph,
        }
    }

    fn node(&mut self, operator: &str, inputs: &[&str], with: Vec<(&str, Attribute)>) -> String {
        self.graph.node(operator, inputs, with)
    }

    /// `[batch, 1, 1, tokens]`: 0 for a token, [`MASKED`] for padding.
    fn bias_of(&mut self, mask: &str) -> String {
        let axes = self.graph.i64s("mask_axes", &[2], &[1, 2]);
        let masked = self.graph.f32s("masked", &[], &[MASKED]);
        let mask = self.node("Unsqueeze", &[mask, &axes], vec![]);
        let one = self.one.clone();
        let padding = self.node("Sub", &[&one, &mask], vec![]);
        self.node("Mul", &[&padding, &masked], vec![])
    }

    /// Words by number, positions in order; every text is of the first type.
    fn embedded(&mut self, ids: &str) -> Result<String, WeightsError> {
        let words = self.constant("embeddings.word_embeddings.weight", &[WORDS, HIDDEN])?;
        let name = "embeddings.position_embeddings.weight";
        let positions = self.weights.get(name, &[POSITIONS, HIDDEN])?;
        let types = "embeddings.token_type_embeddings.weight";
        let types = self.weights.get(types, &[2, HIDDEN])?;
        let first = types.iter().take(HIDDEN).cycle();
        let positions: Vec<f32> = positions.iter().zip(first).map(|(p, t)| p + t).collect();
        let positions = self.graph.f32s(name, &[POSITIONS, HIDDEN], &positions);
        let zero = self.graph.i64s("first", &[1], &[0]);
        let one = self.graph.i64s("second", &[1], &[1]);
        let shape = self.node("Shape", &[ids], vec![]);
        let axis = || vec![("axis", Attribute::Int(0))];
        let tokens = self.node("Gather", &[&shape, &one], axis());
        let positions = self.node("Slice", &[&positions, &zero, &tokens, &zero], vec![]);
        let words = self.node("Gather", &[&words, ids], axis());
        let sum = self.node("Add", &[&words, &positions], vec![]);
        self.normalised(&sum, "embeddings.LayerNorm")
    }

    fn layer(&mut self, input: &str, bias: &str, name: &str) -> Result<String, WeightsError> {
        let part = |part: &str| format!("{name}.{part}");
        let heard = self.attention(input, bias, &part("attention.self"))?;
        let out = self.dense(
            &heard,
            &part("attention.output.dense"),
            [HIDDEN, HIDDEN],
            1.0,
        )?;
        let sum = self.node("Add", &[&out, input], vec![]);
        let input = self.normalised(&sum, &part("attention.output.LayerNorm"))?;
        let inner = self.dense(&input, &part("intermediate.dense"), [HIDDEN, INNER], 1.0)?;
        let inner = self.gelu(&inner);
        let out = self.dense(&inner, &part("output.dense"), [INNER, HIDDEN], 1.0)?;
        let sum = self.node("Add", &[&out, &input], vec![]);
        self.normalised(&sum, &part("output.LayerNorm"))
    }

    fn attention(&mut self, input: &str, bias: &str, name: &str) -> Result<String, WeightsError> {
        let square = [HIDDEN, HIDDEN];
        // What the scores are divided by stands in the query's weights.
        let scale = 1.0 / ((HIDDEN / HEADS) as f32).sqrt();
        let query = self.dense(input, &format!("{name}.query"), square, scale)?;
        let key = self.dense(input, &format!("{name}.key"), square, 1.0)?;
        let value = self.dense(input, &format!("{name}.value"), square, 1.0)?;
        let query = self.heads(&query, [0, 2, 1, 3]);
        let key = self.heads(&key, [0, 2, 3, 1]);
        let value = self.heads(&value, [0, 2, 1, 3]);
        let scores = self.node("MatMul", &[&query, &key], vec![]);
        let scores = self.node("Add", &[&scores, bias], vec![]);
        let shares = self.node("Softmax", &[&scores], vec![("axis", Attribute::Int(-1))]);
        let heard = self.node("MatMul", &[&shares, &value], vec![]);
        let heard = self.transposed(&heard, [0, 2, 1, 3]);
        let merged = self.merged.clone();
        Ok(self.node("Reshape", &[&heard, &merged], vec![]))
    }

    fn heads(&mut self, value: &str, order: [i64; 4]) -> String {
        let split = self.split.clone();
        let value = self.node("Reshape", &[value, &split], vec![]);
        self.transposed(&value, order)
    }

    fn transposed(&mut self, value: &str, order: [i64; 4]) -> String {
        let order = vec![("perm", Attribute::Ints(order.to_vec()))];
        self.node("Transpose", &[value], order)
    }

    /// `value · weight + bias`, both times `scale`. PyTorch keeps a row for each
    /// output, ONNX multiplies by a column for each.
    fn dense(
        &mut self,
        value: &str,
        name: &str,
        [from, to]: [usize; 2],
        scale: f32,
    ) -> Result<String, WeightsError> {
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        let rows = self.weights.get(&weight, &[to, from])?;
        let column = |column| rows.iter().skip(column).step_by(from);
        let columns: Vec<f32> = (0..from).flat_map(column).map(|v| v * scale).collect();
        let biases = self.weights.get(&bias, &[to])?.iter();
        let biases: Vec<f32> = biases.map(|v| v * scale).collect();
        let weight = self.graph.f32s(&weight, &[from, to], &columns);
        let bias = self.graph.f32s(&bias, &[to], &biases);
        let product = self.node("MatMul", &[value, &weight], vec![]);
        Ok(self.node("Add", &[&product, &bias], vec![]))
    }

    fn normalised(&mut self, value: &str, name: &str) -> Result<String, WeightsError> {
        let scale = self.constant(&format!("{name}.weight"), &[HIDDEN])?;
        let shift = self.constant(&format!("{name}.bias"), &[HIDDEN])?;
        let with = vec![
            ("axis", Attribute::Int(-1)),
            ("epsilon", Attribute::Float(EPSILON)),
        ];
        Ok(self.node("LayerNormalization", &[value, &scale, &shift], with))
    }

    /// The exact one, by the error function.
    fn gelu(&mut self, value: &str) -> String {
        let (half, one, root) = (self.half.clone(), self.one.clone(), self.root_two.clone());
        let scaled = self.node("Div", &[value, &root], vec![]);
        let error = self.node("Erf", &[&scaled], vec![]);
        let share = self.node("Add", &[&error, &one], vec![]);
        let product = self.node("Mul", &[value, &share], vec![]);
        self.node("Mul", &[&product, &half], vec![])
    }

    /// What pooling over the tokens needs of the mask.
    fn pool(&mut self, mask: &str) -> Pool {
        let tokens = self.graph.i64s("token_axis", &[1], &[1]);
        let last = self.graph.i64s("last_axis", &[1], &[2]);
        let masked = self.graph.f32s("lowest", &[], &[MASKED]);
        let column = self.node("Unsqueeze", &[mask, &last], vec![]);
        let count = self.node("ReduceSum", &[&column, &tokens], single());
        let one = self.one.clone();
        let padding = self.node("Sub", &[&one, &column], vec![]);
        let padding = self.node("Mul", &[&padding, &masked], vec![]);
        Pool {
            tokens,
            column,
            count,
            padding,
        }
    }

    /// The mean over the tokens that count.
    fn mean(&mut self, value: &str, pool: &Pool) -> String {
        let counted = self.node("Mul", &[value, &pool.column], vec![]);
        let sum = self.node("ReduceSum", &[&counted, &pool.tokens], single());
        self.node("Div", &[&sum, &pool.count], vec![])
    }

    /// The highest value over the tokens that count.
    fn highest(&mut self, value: &str, pool: &Pool) -> String {
        let counted = self.node("Add", &[value, &pool.padding], vec![]);
        let mut with = single();
        with.push(("axes", Attribute::Ints(vec![1])));
        self.node("ReduceMax", &[&counted], with)
    }

    fn of_length_one(&mut self, value: &str) -> String {
        let least = self.graph.f32s("least", &[], &[1e-9]);
        let axes = vec![("axes", Attribute::Ints(vec![1]))];
        let length = self.node("ReduceL2", &[value], axes);
        let length = self.node("Max", &[&length, &least], vec![]);
        self.node("Div", &[value, &length], vec![])
    }

    fn constant(&mut self, name: &str, shape: &[usize]) -> Result<String, WeightsError> {
        let values = self.weights.get(name, shape)?;
        Ok(self.graph.f32s(name, shape, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tensor_is_named() {
        let error = minilm_l6(&Weights::default()).unwrap_err();
        assert!(error.to_string().contains("embeddings.word"), "{error}");
    }
}
