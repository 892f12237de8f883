//! A head on a backbone: one graph from pixels or tokens to probabilities.

use model::{Datatype, TensorSignature};
use onnx::{Attribute, DecodeError, Dim, ElementType, GraphBuilder, JoinError};

use crate::Backbone;
use crate::graphs::EMBEDDING;

/// The name of the joined graph's first output.
const PROBABILITIES: &str = "probabilities";

/// The names of a head's nodes and constants begin with this, so that they do not
/// meet those of the backbone.
const PREFIX: &str = "head.";

/// A linear classifier of embeddings: `softmax(embedding · weights + bias)`.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// `[width, classes]`, row by row.
    pub weights: &'a [f32],
    /// `[classes]`.
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
    /// The weights do not fill `[width, classes]`.
    #[error("the head has {found} weights, expected {width} x {classes}")]
    Weights {
        /// Weights given.
        found: usize,
        /// The length of an embedding.
        width: usize,
        /// The length of the bias.
        classes: usize,
    },
    /// The backbone's graph cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The two do not fit.
    #[error(transparent)]
    Join(#[from] JoinError),
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
        let (width, classes) = (backbone.width(), self.bias.len());
        let found = self.weights.len();
        if found != width * classes || classes == 0 {
            return Err(HeadError::Weights {
                found,
                width,
                classes,
            });
        }
        let mut head = GraphBuilder::new("head", PREFIX);
        let shape = [Dim::Any("batch"), Dim::Fixed(width)];
        let embedding = head.input(EMBEDDING, ElementType::F32, &shape);
        let weights = head.f32s("weights", &[width, classes], self.weights);
        let bias = head.f32s("bias", &[classes], self.bias);
        let scores = head.node("Gemm", &[&embedding, &weights, &bias], vec![]);
        let share = head.node("Softmax", &[&scores], vec![("axis", Attribute::Int(1))]);
        let shape = [Dim::Any("batch"), Dim::Fixed(classes)];
        head.output(&share, PROBABILITIES, ElementType::F32, &shape);
        let head = head.finish(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        let graph = onnx::decode(&backbone.graph)?;
        let graph = onnx::join(graph, &backbone.description.output.name, head)?;
        let output = |name: &str, width: usize| TensorSignature {
            name: name.to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![-1, i64::try_from(width).unwrap_or(i64::MAX)],
        };
        Ok(Joined {
            graph: onnx::encode(&graph),
            outputs: vec![output(PROBABILITIES, classes), output(EMBEDDING, width)],
        })
    }
}
