//! Runs a package's graph.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use rten::{Model, NodeId, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::prelude::*;

use crate::TensorSignature;

/// A tensor of 32-bit floats in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The elements; as many as the product of `shape`.
    pub values: Vec<f32>,
}

/// A loaded graph, ready to run from any thread.
pub struct Session {
    model: Model,
    input: NodeId,
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
    /// When it is not a graph that the runtime can execute, or lacks a name of
    /// the signature.
    pub fn load(
        graph: Vec<u8>,
        input: &TensorSignature,
        outputs: &[TensorSignature],
    ) -> Result<Self, SessionError> {
        let model = Model::load(graph).map_err(|e| SessionError::Load(e.to_string()))?;
        let find = |ids: &[NodeId], kind, name: &str| {
            let id = model.find_node(name).filter(|id| ids.contains(id));
            id.ok_or_else(|| SessionError::Signature {
                kind,
                name: name.to_owned(),
            })
        };
        let input = find(model.input_ids(), "input", &input.name)?;
        let outputs = outputs
            .iter()
            .map(|o| find(model.output_ids(), "output", &o.name));
        let outputs = outputs.collect::<Result<_, _>>()?;
        Ok(Self {
            model,
            input,
            outputs,
        })
    }

    /// Runs the graph once, on as many threads as the machine has cores, and
    /// gives its outputs in the order of the signature.
    ///
    /// # Errors
    ///
    /// When the input's elements do not fill its shape, or the graph fails.
    pub fn run(&self, input: Tensor) -> Result<Vec<Tensor>, SessionError> {
        self.run_with(input, RunOptions::default())
    }

    /// As [`Session::run`], on the calling thread alone, which is `lane`.
    ///
    /// # Errors
    ///
    /// As [`Session::run`].
    pub fn run_on(&self, lane: &Lane, input: Tensor) -> Result<Vec<Tensor>, SessionError> {
        let pool = Some(Arc::clone(&lane.pool));
        self.run_with(input, RunOptions::default().with_thread_pool(pool))
    }

    fn run_with(&self, input: Tensor, options: RunOptions) -> Result<Vec<Tensor>, SessionError> {
        let Tensor { shape, values } = input;
        let count = values.len();
        let tensor = rten_tensor::Tensor::try_from_data(&shape[..], values).map_err(|_| {
            SessionError::Shape {
                shape: shape.clone(),
                values: count,
            }
        })?;
        let inputs = vec![(self.input, ValueOrView::from(tensor))];
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
#[derive(Debug)]
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
