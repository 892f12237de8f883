//! Runs a package's graph, on one of two engines.
//!
//! The engine in Rust is part of every program. ONNX Runtime is a C++ library that
//! a program loads when it is there; it computes convolutions several times faster.
//! Both stand behind the trait [`Graph`], and give the same results within 1e-4.

mod built_in;
#[cfg(feature = "onnxruntime")]
mod engines;
#[cfg(feature = "onnxruntime")]
mod library;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;

use crate::TensorSignature;
use built_in::BuiltIn;

pub use built_in::Lane;
#[cfg(feature = "onnxruntime")]
pub use engines::{Asked, Choice, EngineError, Engines, Opening, Signature};
#[cfg(feature = "onnxruntime")]
pub use library::LibraryError;
#[cfg(feature = "onnxruntime")]
pub use onnxruntime::{Copies, OnnxRuntime};

/// The name of the engine that every program has.
pub const BUILT_IN: &str = "built-in";

/// A graph that an engine has loaded, ready to run from any thread.
trait Graph: Send + Sync {
    /// The engine's name, with its version where that can differ.
    fn engine(&self) -> &str;

    /// Runs the graph once, with as many `inputs` as it takes and in the order of
    /// its signature, and gives its outputs in the same order; as
    /// [`Session::run_inputs`].
    fn run(&self, inputs: Vec<Input>, lane: Option<&Lane>) -> Result<Vec<Tensor>, SessionError>;
}

/// A tensor in row-major order, of 32-bit floats if not said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor<T = f32> {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The elements; as many as the product of `shape`.
    pub values: Vec<T>,
}

/// What one input of a graph is given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// For an input of 32-bit floats.
    Floats(Tensor),
    /// For an input of 32-bit or 64-bit integers.
    Integers(Tensor<i32>),
}

impl Input {
    /// The size of its first dimension.
    #[cfg(feature = "onnxruntime")]
    fn rows(&self) -> Option<usize> {
        let shape = match self {
            Self::Floats(tensor) => &tensor.shape,
            Self::Integers(tensor) => &tensor.shape,
        };
        shape.first().copied()
    }
}

impl From<Tensor> for Input {
    fn from(tensor: Tensor) -> Self {
        Self::Floats(tensor)
    }
}

/// A loaded graph, ready to run from any thread.
pub struct Session {
    graph: Box<dyn Graph>,
    inputs: usize,
}

/// Why a graph cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The graph is not ONNX or uses what the runtime does not know.
    #[error("cannot load the graph: {0}")]
    Load(String),
    /// The description names an input or output that the graph does not have.
    #[error("the graph has no {kind} {name:?}, which the description names")]
    Signature {
        /// `input` or `output`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// More or fewer inputs than the graph takes.
    #[error("got {got} inputs, the graph takes {wanted}")]
    Inputs {
        /// Inputs given.
        got: usize,
        /// Inputs of the signature.
        wanted: usize,
    },
    /// The elements do not fill the shape.
    #[error("{values} values do not fill the shape {shape:?}")]
    Shape {
        /// The shape given.
        shape: Vec<usize>,
        /// The number of elements given.
        values: usize,
    },
    /// The graph failed on this input.
    #[error("the graph failed: {0}")]
    Run(String),
}

impl Session {
    /// Loads the ONNX `graph`, which takes `input` and gives `outputs`.
    ///
    /// # Errors
    ///
    /// As [`Session::open`].
    pub fn load(
        graph: Vec<u8>,
        input: &TensorSignature,
        outputs: &[TensorSignature],
    ) -> Result<Self, SessionError> {
        Self::open(graph, std::slice::from_ref(input), outputs)
    }

    /// Loads the ONNX `graph`, which takes `inputs` and gives `outputs`, on the
    /// built-in engine.
    ///
    /// # Errors
    ///
    /// When it is not a graph that the engine can execute, or lacks a name of
    /// the signature.
    pub fn open(
        graph: Vec<u8>,
        inputs: &[TensorSignature],
        outputs: &[TensorSignature],
    ) -> Result<Self, SessionError> {
        Ok(Self::on(BuiltIn::load(graph, inputs, outputs)?, inputs))
    }

    fn on(graph: impl Graph + 'static, inputs: &[TensorSignature]) -> Self {
        Self {
            graph: Box::new(graph),
            inputs: inputs.len(),
        }
    }

    /// The engine that runs the graph: [`BUILT_IN`], or as `onnxruntime 1.31.1`.
    pub fn engine(&self) -> &str {
        self.graph.engine()
    }

    /// Runs the graph of one input on as many threads as the machine has cores,
    /// and gives its outputs in the order of the signature.
    ///
    /// # Errors
    ///
    /// As [`Session::run_inputs`].
    pub fn run(&self, input: Tensor) -> Result<Vec<Tensor>, SessionError> {
        self.run_inputs(vec![input.into()], None)
    }

    /// Runs the graph once, with its inputs and outputs in the order of the
    /// signature. The built-in engine takes the calling thread alone where that is
    /// `lane`, and else as many threads as the machine has cores; ONNX Runtime
    /// takes the threads that it was given when it was loaded.
    ///
    /// # Errors
    ///
    /// When there are too many or too few inputs, one's elements do not fill its
    /// shape, or the graph fails.
    pub fn run_inputs(
        &self,
        inputs: Vec<Input>,
        lane: Option<&Lane>,
    ) -> Result<Vec<Tensor>, SessionError> {
        let (got, wanted) = (inputs.len(), self.inputs);
        if got != wanted {
            return Err(SessionError::Inputs { got, wanted });
        }
        self.graph.run(inputs, lane)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let engine = self.engine();
        f.debug_struct("Session")
            .field("engine", &engine)
            .finish_non_exhaustive()
    }
}
