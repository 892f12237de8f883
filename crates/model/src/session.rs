//! Runs a package's graph.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::prelude::*;

use crate::TensorSignature;

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

impl From<Tensor> for Input {
    fn from(tensor: Tensor) -> Self {
        Self::Floats(tensor)
    }
}

/// A loaded graph, ready to run from any thread.
pub struct Session {
    model: Model,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
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

    /// Loads the ONNX `graph`, which takes `inputs` and gives `outputs`.
    ///
    /// # Errors
    ///
    /// When it is not a graph that the runtime can execute, or lacks a name of
    /// the signature.
    pub fn open(
        graph: Vec<u8>,
        inputs: &[TensorSignature],
        outputs: &[TensorSignature],
    ) -> Result<Self, SessionError> {
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load(graph)
            .map_err(|e| SessionError::Load(e.to_string()))?;
        let inputs = find(&model, model.input_ids(), "input", inputs)?;
        let outputs = find(&model, model.output_ids(), "output", outputs)?;
        Ok(Self {
            model,
            inputs,
            outputs,
        })
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

    /// As [`Session::run`], on the calling thread alone, which is `lane`.
    ///
    /// # Errors
    ///
    /// As [`Session::run_inputs`].
    pub fn run_on(&self, lane: &Lane, input: Tensor) -> Result<Vec<Tensor>, SessionError> {
        self.run_inputs(vec![input.into()], Some(lane))
    }

    /// Runs the graph once, with its inputs and outputs in the order of the
    /// signature: on the calling thread alone where that is `lane`, and else on as
    /// many threads as the machine has cores.
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
        let (got, wanted) = (inputs.len(), self.inputs.len());
        if got != wanted {
            return Err(SessionError::Inputs { got, wanted });
        }
        let inputs = self.inputs.iter().zip(inputs).map(|(id, input)| {
            let value = match input {
                Input::Floats(tensor) => filled(tensor)?.into(),
                Input::Integers(tensor) => filled(tensor)?.into(),
            };
            Ok((*id, value))
        });
        let inputs = inputs.collect::<Result<Vec<(NodeId, ValueOrView<'_>)>, _>>()?;
        let pool = lane.map(|lane| Arc::clone(&lane.pool));
        let options = RunOptions::default().with_thread_pool(pool);
        let values = self
            .model
            .run(inputs, &self.outputs, Some(options))
            .map_err(|e| SessionError::Run(e.to_string()))?;
        values.into_iter().map(into_tensor).collect()
    }
}

/// A thread on which graphs run from their first operator to the last, without
/// a change of thread in between.
///
/// The runtime moves every run to a thread of its pool, which for a small graph
/// costs more than the graph itself, unless the caller is such a thread already.
/// A lane is a pool of one thread, and [`Lane::spawn`] gives that thread to the
/// caller. Requests then run beside each other, one per lane, and not in turn on
/// all cores.
#[derive(Debug, Clone)]
pub struct Lane {
    pool: Arc<ThreadPool>,
}

impl Lane {
    /// Starts a lane that does `work` and ends with it.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub fn spawn<F>(name: String, work: F) -> std::io::Result<JoinHandle<()>>
    where
        F: FnOnce(&Self) + Send + 'static,
    {
        Builder::new().name(name).spawn(move || {
            let pool = Arc::new(ThreadPool::with_num_threads(1));
            let lane = Self {
                pool: Arc::clone(&pool),
            };
            pool.run(move || work(&lane));
        })
    }
}

fn find(
    model: &Model,
    known: &[NodeId],
    kind: &'static str,
    wanted: &[TensorSignature],
) -> Result<Vec<NodeId>, SessionError> {
    let find = |signature: &TensorSignature| {
        let id = model.find_node(&signature.name);
        id.filter(|id| known.contains(id))
            .ok_or_else(|| SessionError::Signature {
                kind,
                name: signature.name.clone(),
            })
    };
    wanted.iter().map(find).collect()
}

fn filled<T>(tensor: Tensor<T>) -> Result<rten_tensor::Tensor<T>, SessionError> {
    let Tensor { shape, values } = tensor;
    let count = values.len();
    rten_tensor::Tensor::try_from_data(&shape[..], values).map_err(|_| SessionError::Shape {
        shape,
        values: count,
    })
}

fn into_tensor(value: rten::Value) -> Result<Tensor, SessionError> {
    let dtype = value.dtype();
    let tensor = value
        .into_tensor::<f32>()
        .ok_or_else(|| SessionError::Run(format!("an output has type {dtype}, expected f32")))?;
    Ok(Tensor {
        shape: tensor.shape().to_vec(),
        values: tensor.into_data(),
    })
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
