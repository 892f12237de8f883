//! A head on a backbone: one graph from pixels or tokens to probabilities.

use model::{Datatype, TensorSignature};
use onnx::{Attribute, DecodeError, Dim, ElementType, GraphBuilder, JoinError};

use crate::Backbone;

/// The name of the joined graph's first output.
const PROBABILITIES: &str = "probabilities";

/// The name of the output of every known backbone, and of the joined graph's
/// second output.
pub(crate) const EMBEDDING: &str = "embedding";

/// The names of a head's nodes and constants begin with this, so that they do not
/// meet those of the backbone.
const PREFIX: &str = "head.";

/// The constants of a layer, before its number.
const WEIGHTS: &str = "weights";
const BIAS: &str = "bias";

/// A classifier of embeddings: one layer after the other, with `max(0, x)` between
/// two of them and a softmax behind the last.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// What comes before the layers, which then take how much the input resembles each
    /// of its points.
    pub kernel: Option<Kernel<'a>>,
    /// From the embedding to the classes; a linear classifier has one.
    pub layers: Vec<Layer<'a>>,
}

/// How much an input resembles points: `exp(-rate · |(x - mean) · scale - point|²)` for
/// each.
#[derive(Debug, Clone, Copy)]
pub struct Kernel<'a> {
    /// What is subtracted from the input, `[width]`.
    pub mean: &'a [f32],
    /// What the difference is multiplied with, `[width]`.
    pub scale: &'a [f32],
    /// `[points, width]`, row by row.
    pub points: &'a [f32],
    /// Above 0.
    pub rate: f32,
}

/// A layer `x · weights + bias`.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// `[inputs, outputs]`, row by row.
    pub weights: &'a [f32],
    /// `[outputs]`.
    pub bias: &'a [f32],
}

/// A backbone and its head.
#[derive(Debug)]
pub struct Joined {
    /// The bytes of the ONNX graph.
    pub graph: Vec<u8>,
    /// `probabilities` `[-1, classes]` and `embedding` `[-1, width]`.
    pub outputs: Vec<TensorSignature>,
}

/// Why a head does not go on a backbone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The weights of a layer do not fill `[inputs, outputs]`.
    #[error("a layer or kernel of the head has {found} weights, expected {inputs} x {outputs}")]
    Weights {
        /// Weights given.
        found: usize,
        /// The length of what the layer takes.
        inputs: usize,
        /// The length of its bias.
        outputs: usize,
    },
    /// A graph has no head that was joined here.
    #[error("the graph has no head of a backbone")]
    NoHead,
    /// The backbone's graph cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The two do not fit.
    #[error(transparent)]
    Join(#[from] JoinError),
}

/// The numbers of a layer: weights `[inputs, outputs]`, row by row, and the bias
/// `[outputs]`.
pub type LayerNumbers = (Vec<f32>, Vec<f32>);

/// The layers of the head in a graph that [`Head::on`] has joined.
///
/// # Errors
///
/// When the graph cannot be read, or has no such head.
pub fn head_of(graph: &[u8]) -> Result<Vec<LayerNumbers>, HeadError> {
    let graph = onnx::decode(graph)?.graph.ok_or(HeadError::NoHead)?;
    let constant =
        |what: &str, index: usize| graph.f32s(&format!("{PREFIX}{}", constant_name(what, index)));
    let layers = (0..).map_while(|index| {
        let weights = constant(WEIGHTS, index)?;
        Some((weights, constant(BIAS, index)?))
    });
    let layers: Vec<_> = layers.collect();
    if layers.is_empty() {
        return Err(HeadError::NoHead);
    }
    Ok(layers)
}

/// The name of a constant of the layer with this number.
fn constant_name(what: &str, index: usize) -> String {
    format!("{what}_{index}")
}

impl Head<'_> {
    /// Joins `backbone` and this head into one graph that takes what the backbone
    /// takes.
    ///
    /// # Errors
    ///
    /// When the weights do not fill the shape, the backbone's graph cannot be
    /// read, or uses a name of the head.
    pub fn on(&self, backbone: &Backbone) -> Result<Joined, HeadError> {
        let description = &backbone.description;
        let width = backbone.head_width();
        let mut head = GraphBuilder::new("head", PREFIX);
        let shape = [Dim::Any("batch"), Dim::Fixed(width)];
        // The input is the backbone's output, or bears the name that is shown.
        let features = description.features.as_ref();
        let input = features.map_or(EMBEDDING, |features| features.name.as_str());
        let mut value = (head.input(input, ElementType::F32, &shape), width);
        if let Some(kernel) = &self.kernel {
            value = kernel.on(&mut head, &value.0, width)?;
        }
        let (scores, classes) = self.layers(&mut head, value.0, value.1)?;
        let share = head.node("Softmax", &[&scores], vec![("axis", Attribute::Int(1))]);
        let shape = [Dim::Any("batch"), Dim::Fixed(classes)];
        head.output(&share, PROBABILITIES, ElementType::F32, &shape);
        let head = head.finish(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        let graph = onnx::decode(&backbone.graph)?;
        let shown = &description.output.name;
        let graph = match features {
            Some(features) => onnx::join(graph, &features.name, head, Some(shown))?,
            None => onnx::join(graph, shown, head, None)?,
        };
        let output = |name: &str, width: usize| TensorSignature {
            name: name.to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![-1, i64::try_from(width).unwrap_or(i64::MAX)],
        };
        Ok(Joined {
            graph: onnx::encode(&graph),
            outputs: vec![
                output(PROBABILITIES, classes),
                output(EMBEDDING, backbone.width()),
            ],
        })
    }

    /// Adds all layers; gives the name of the scores and how many there are.
    fn layers(
        &self,
        head: &mut GraphBuilder,
        embedding: String,
        width: usize,
    ) -> Result<(String, usize), HeadError> {
        let (mut value, mut inputs) = (embedding, width);
        for (index, layer) in self.layers.iter().enumerate() {
            let (found, outputs) = (layer.weights.len(), layer.bias.len());
            if found != inputs * outputs || outputs == 0 {
                return Err(HeadError::Weights {
                    found,
                    inputs,
                    outputs,
                });
            }
            if index > 0 {
                value = head.node("Relu", &[&value], vec![]);
            }
            let shape = [inputs, outputs];
            let weights = head.f32s(&constant_name(WEIGHTS, index), &shape, layer.weights);
            let bias = head.f32s(&constant_name(BIAS, index), &[outputs], layer.bias);
            value = head.node("Gemm", &[&value, &weights, &bias], vec![]);
            inputs = outputs;
        }
        Ok((value, inputs))
    }
}

impl Kernel<'_> {
    /// Adds what the input resembles; gives its name and how many points there are.
    ///
    /// The squared distance is |z|² + |p|² - 2 z·p, each a product of matrices.
    fn on(
        &self,
        head: &mut GraphBuilder,
        input: &str,
        width: usize,
    ) -> Result<(String, usize), HeadError> {
        let outputs = self.points.len() / width.max(1);
        let fills = outputs > 0 && self.points.len() == outputs * width;
        if !fills || self.mean.len() != width || self.scale.len() != width {
            return Err(HeadError::Weights {
                found: self.points.len(),
                inputs: width,
                outputs,
            });
        }
        let rate = self.rate;
        let points = || self.points.chunks(width);
        let column = |column| self.points.iter().skip(column).step_by(width);
        let across: Vec<f32> = (0..width)
            .flat_map(column)
            .map(|v| 2.0 * rate * v)
            .collect();
        let square = |point: &[f32]| -rate * point.iter().map(|v| v * v).sum::<f32>();
        let squares: Vec<f32> = points().map(square).collect();
        let mean = head.f32s("mean", &[width], self.mean);
        let scale = head.f32s("scale", &[width], self.scale);
        let across = head.f32s("points", &[width, outputs], &across);
        let squares = head.f32s("squares", &[outputs], &squares);
        let rates = head.f32s("rates", &[width, 1], &vec![-rate; width]);
        let centred = head.node("Sub", &[input, &mean], vec![]);
        let scaled = head.node("Mul", &[&centred, &scale], vec![]);
        let product = head.node("Gemm", &[&scaled, &across, &squares], vec![]);
        let square = head.node("Mul", &[&scaled, &scaled], vec![]);
        let square = head.node("MatMul", &[&square, &rates], vec![]);
        let exponent = head.node("Add", &[&product, &square], vec![]);
        Ok((head.node("Exp", &[&exponent], vec![]), outputs))
    }
}
