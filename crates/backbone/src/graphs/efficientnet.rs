//! EfficientNet-Lite0, from a normalised picture of 224 × 224 to 1280 numbers.
//!
//! The network of [Tan and Le] without its swish and its squeeze-and-excitation,
//! as [TensorFlow] defines the lite models and `efficientnet-lite-pytorch` names
//! their weights. Batch normalisation is folded into the convolution before it.
//!
//! [Tan and Le]: https://arxiv.org/abs/1905.11946
//! [TensorFlow]: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite

use onnx::{Attribute, Dim, ElementType, GraphBuilder, ModelProto};

use super::{EMBEDDING, PRODUCER, VERSION};
use crate::weights::{Weights, WeightsError};

/// Rows and columns of the input.
const SIDE: usize = 224;

/// The length of the embedding.
const FEATURES: usize = 1280;

/// Added to the variance before the root is taken.
const EPSILON: f64 = 1e-3;

/// A run of blocks: how many, the kernel's side, the first one's stride, how often
/// the channels are multiplied inside, and the channels that come out.
struct Stage(usize, usize, usize, usize, usize);

const STAGES: [Stage; 7] = [
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
];

/// The graph: input `pixels` `[batch, 3, 224, 224]`, output `embedding`
/// `[batch, 1280]`.
pub(crate) fn efficientnet_lite0(weights: &Weights) -> Result<ModelProto, WeightsError> {
    let mut network = Network::new(weights);
    let shape = [
        Dim::Any("batch"),
        Dim::Fixed(3),
        Dim::Fixed(SIDE),
        Dim::Fixed(SIDE),
    ];
    let pixels = network.graph.input("pixels", ElementType::F32, &shape);
    let stem = Conv::new("_conv_stem", "_bn0", 3, 32).kernel(3, 2);
    let mut value = network.conv(&pixels, &stem)?;
    value = network.relu6(&value);
    let (mut channels, mut block) = (32, 0);
    for Stage(count, kernel, stride, expansion, out) in STAGES {
        for repeat in 0..count {
            let first = repeat == 0;
            let block_of = Block {
                name: format!("_blocks.{block}"),
                kernel,
                stride: if first { stride } else { 1 },
                expansion,
                channels,
                out,
            };
            value = network.block(&value, &block_of)?;
            (channels, block) = (out, block + 1);
        }
    }
    let head = Conv::new("_conv_head", "_bn1", channels, FEATURES);
    value = network.conv(&value, &head)?;
    value = network.relu6(&value);
    let graph = &mut network.graph;
    let pooled = graph.node("GlobalAveragePool", &[&value], vec![]);
    let flat = graph.node("Flatten", &[&pooled], vec![("axis", Attribute::Int(1))]);
    let shape = [Dim::Any("batch"), Dim::Fixed(FEATURES)];
    graph.output(&flat, EMBEDDING, ElementType::F32, &shape);
    Ok(network.graph.finish(PRODUCER, VERSION))
}

/// An inverted bottleneck: wide, through a depthwise convolution, narrow again.
struct Block {
    name: String,
    kernel: usize,
    stride: usize,
    expansion: usize,
    channels: usize,
    out: usize,
}

/// A convolution without a bias, and the batch normalisation after it.
struct Conv {
    name: String,
    norm: String,
    channels: usize,
    out: usize,
    kernel: usize,
    stride: usize,
    depthwise: bool,
}

impl Conv {
    fn new(name: &str, norm: &str, channels: usize, out: usize) -> Self {
        Self {
            name: name.to_owned(),
            norm: norm.to_owned(),
            channels,
            out,
            kernel: 1,
            stride: 1,
            depthwise: false,
        }
    }

    fn kernel(self, kernel: usize, stride: usize) -> Self {
        Self {
            kernel,
            stride,
            ..self
        }
    }
}

struct Network<'a> {
    weights: &'a Weights,
    graph: GraphBuilder,
    /// Rows and columns at this point.
    side: usize,
    zero: String,
    six: String,
}

impl<'a> Network<'a> {
    fn new(weights: &'a Weights) -> Self {
        let mut graph = GraphBuilder::new("efficientnet-lite0", "");
        let zero = graph.f32s("zero", &[], &[0.0]);
        let six = graph.f32s("six", &[], &[6.0]);
        Self {
            weights,
            graph,
            side: SIDE,
            zero,
            six,
        }
    }

    fn relu6(&mut self, value: &str) -> String {
        self.graph
            .node("Clip", &[value, &self.zero, &self.six], vec![])
    }

    fn block(&mut self, input: &str, block: &Block) -> Result<String, WeightsError> {
        let part = |part: &str| format!("{}.{part}", block.name);
        let wide = block.channels * block.expansion;
        let mut value = input.to_owned();
        if block.expansion != 1 {
            let conv = Conv::new(&part("_expand_conv"), &part("_bn0"), block.channels, wide);
            value = self.conv(&value, &conv)?;
            value = self.relu6(&value);
        }
        let conv = Conv {
            depthwise: true,
            ..Conv::new(&part("_depthwise_conv"), &part("_bn1"), wide, wide)
        };
        value = self.conv(&value, &conv.kernel(block.kernel, block.stride))?;
        value = self.relu6(&value);
        let conv = Conv::new(&part("_project_conv"), &part("_bn2"), wide, block.out);
        value = self.conv(&value, &conv)?;
        if block.stride == 1 && block.channels == block.out {
            value = self.graph.node("Add", &[&value, input], vec![]);
        }
        Ok(value)
    }

    fn conv(&mut self, input: &str, conv: &Conv) -> Result<String, WeightsError> {
        let depth = if conv.depthwise { 1 } else { conv.channels };
        let shape = [conv.out, depth, conv.kernel, conv.kernel];
        let (kernel, bias) = self.folded(conv, &shape)?;
        let weight = self
            .graph
            .f32s(&format!("{}.weight", conv.name), &shape, &kernel);
        let bias = self
            .graph
            .f32s(&format!("{}.bias", conv.name), &[conv.out], &bias);
        let [before, after] = same_padding(self.side, conv.kernel, conv.stride);
        self.side = self.side.div_ceil(conv.stride);
        let groups = if conv.depthwise { conv.channels } else { 1 };
        let ints = |values: &[usize]| Attribute::Ints(values.iter().map(|v| *v as i64).collect());
        let attributes = vec![
            ("group", Attribute::Int(groups as i64)),
            ("kernel_shape", ints(&[conv.kernel, conv.kernel])),
            ("pads", ints(&[before, before, after, after])),
            ("strides", ints(&[conv.stride, conv.stride])),
        ];
        Ok(self
            .graph
            .node("Conv", &[input, &weight, &bias], attributes))
    }

    /// The kernel and bias that do what the convolution and the normalisation do.
    #[expect(clippy::cast_possible_truncation, reason = "weights are 32-bit")]
    fn folded(
        &self,
        conv: &Conv,
        shape: &[usize; 4],
    ) -> Result<(Vec<f32>, Vec<f32>), WeightsError> {
        let kernel = self.weights.get(&format!("{}.weight", conv.name), shape)?;
        let norm = |part: &str| {
            let name = format!("{}.{part}", conv.norm);
            self.weights.get(&name, &[conv.out])
        };
        let (gamma, beta) = (norm("weight")?, norm("bias")?);
        let (mean, variance) = (norm("running_mean")?, norm("running_var")?);
        let scale = gamma.iter().zip(variance);
        let scale = scale.map(|(g, v)| f64::from(*g) / (f64::from(*v) + EPSILON).sqrt());
        let scale: Vec<f64> = scale.collect();
        let channel = kernel.len() / conv.out;
        let kernel = kernel.chunks_exact(channel).zip(&scale);
        let kernel = kernel.flat_map(|(k, s)| k.iter().map(move |k| (f64::from(*k) * s) as f32));
        let bias = beta.iter().zip(mean).zip(&scale);
        let bias = bias.map(|((b, m), s)| (f64::from(*b) - f64::from(*m) * s) as f32);
        Ok((kernel.collect(), bias.collect()))
    }
}

/// TensorFlow's `SAME`: what comes out has `side / stride` rows, rounded up, and
/// an odd row of padding lies behind.
fn same_padding(side: usize, kernel: usize, stride: usize) -> [usize; 2] {
    let covered = (side.div_ceil(stride) - 1) * stride + kernel;
    let padding = covered.saturating_sub(side);
    [padding / 2, padding - padding / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_asymmetric_where_the_stride_is_two() {
        assert_eq!(same_padding(224, 3, 2), [0, 1]);
        assert_eq!(same_padding(112, 3, 1), [1, 1]);
        assert_eq!(same_padding(56, 5, 2), [1, 2]);
        assert_eq!(same_padding(7, 1, 1), [0, 0]);
    }

    #[test]
    fn a_missing_tensor_is_named() {
        let error = efficientnet_lite0(&Weights::default()).unwrap_err();
        assert!(error.to_string().contains("_conv_stem.weight"), "{error}");
    }

    #[test]
    fn normalisation_is_folded() {
        let mut weights = Weights::default();
        weights.put("c.weight", &[1, 1, 1, 2], vec![2.0, -4.0]);
        weights.put("n.weight", &[1], vec![3.0]);
        weights.put("n.bias", &[1], vec![0.5]);
        weights.put("n.running_mean", &[1], vec![1.0]);
        weights.put("n.running_var", &[1], vec![0.249]);
        let network = Network::new(&weights);
        let conv = Conv::new("c", "n", 1, 1);
        let (kernel, bias) = network.folded(&conv, &[1, 1, 1, 2]).unwrap();
        assert_eq!((kernel, bias), (vec![12.0, -24.0], vec![-5.5]));
    }
}
