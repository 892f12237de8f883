//! The engine in Rust, which every program has.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::prelude::*;

use super::{Graph, Input, SessionError, Tensor};
use crate::TensorSignature;

/// A graph that rten has loaded.
pub(super) struct BuiltIn {
    model: Model,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
}

impl BuiltIn {
    /// Loads the ONNX `graph`, which takes `inputs` and gives `outputs`.
    ///
    /// # Errors
    ///
    /// When it is not a graph that rten can execute, or lacks a name of the
    /// signature.
    pub(super) fn load(
        graph: Vec<u8>,
        inputs: &[TensorSignature],
        outputs: &[TensorSignature],
    ) -> Result<Self, SessionError> {
        // rten believes every length that it reads.
        onnx::check_lengths(&graph).map_err(|e| SessionError::Load(e.to_string()))?;
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
}

impl Graph for BuiltIn {
    fn engine(&self) -> &str {
        super::BUILT_IN
    }

    fn run(&self, inputs: Vec<Input>, lane: Option<&Lane>) -> Result<Vec<Tensor>, SessionError> {
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
/// The built-in engine moves every run to a thread of its pool, which for a small
/// graph costs more than the graph itself, unless the caller is such a thread
/// already. A lane is a pool of one thread, and [`Lane::spawn`] gives that thread to
/// the caller. Requests then run beside each other, one per lane, and not in turn on
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
