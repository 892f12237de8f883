//! What a training's checkpoint holds that can be served: a graph that explains
//! itself, or one with a few words beside it.

mod graph;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::graph::{answer, guessed, numbered, signatures};
use crate::{
    Digest, FORMAT, FORMAT_VERSION, GRAPH_FILE, ImageError, Input, MANIFEST_FILE, Manifest,
    Preprocessing, Provenance, Session, SessionError, TOKENIZER_FILE, Task, Tensor,
    TensorSignature, TextError, Tokenizer,
};

/// How training code exports what serving needs.
pub const EXPORT_ADVICE: &str = "\
let the training code write model.onnx into each checkpoint: with PyTorchTrial in the callback \
on_checkpoint_write_end(self, checkpoint_dir), with the Core API inside checkpoint.store_path, \
by torch.onnx.export(model, (example,), f\"{checkpoint_dir}/model.onnx\", input_names=[\"input\"], \
output_names=[\"probabilities\"], dynamic_axes={\"input\": {0: \"batch\"}, \"probabilities\": {0: \"batch\"}}); \
docs/train.md, section Determined, has the lines";

/// Why a checkpoint cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The graph cannot be read.
    #[error("{GRAPH_FILE} cannot be served")]
    Graph(#[from] onnx::DecodeError),
    /// `model.json` is no description.
    #[error(
        "its {MANIFEST_FILE} may have the keys target, labels and preprocessing (docs/train.md)"
    )]
    Description(#[source] serde_json::Error),
    /// The graph does not run.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The pictures that it takes are described wrongly.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Graph and description do not say what is needed, or contradict each other.
    #[error("{0}")]
    Unfit(String),
}

fn unfit(reason: impl Into<String>) -> CheckpointError {
    CheckpointError::Unfit(reason.into())
}

type Result<T> = std::result::Result<T, CheckpointError>;

/// A checkpoint's `model.json`: what the graph itself does not tell.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Description {
    /// The column or thing that is predicted.
    target: Option<String>,
    /// The classes in the order of `probabilities`.
    labels: Option<Vec<String>>,
    /// How raw values become the graph's input, as in a package.
    preprocessing: Option<Preprocessing>,
}

/// A graph with all that serving needs to know of it.
#[derive(Debug)]
pub struct Described {
    /// The bytes of the ONNX graph.
    pub graph: Vec<u8>,
    /// The bytes of `tokenizer.json`, where there is one.
    pub tokenizer: Option<Vec<u8>>,
    /// What the model does.
    pub task: Task,
    /// The column or thing that is predicted.
    pub target: String,
    /// The classes in the order of the output; empty for a regression.
    pub labels: Vec<String>,
    /// The graph's inputs.
    pub inputs: Vec<TensorSignature>,
    /// The graph's output, shape `[-1, classes]` or `[-1, 1]`.
    pub output: TensorSignature,
    /// How raw values become the graph's input.
    pub preprocessing: Preprocessing,
}

impl Described {
    /// The description of a package with it, of which `write_package` fills in the
    /// digests and files.
    pub fn manifest(
        &self,
        name: &str,
        version: &str,
        metrics: BTreeMap<String, f64>,
        provenance: Provenance,
    ) -> Manifest {
        Manifest {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            digest: Digest::placeholder(),
            name: name.to_owned(),
            version: version.to_owned(),
            task: self.task,
            target: self.target.clone(),
            labels: self.labels.clone(),
            inputs: self.inputs.clone(),
            outputs: vec![self.output.clone()],
            preprocessing: self.preprocessing.clone(),
            metrics,
            provenance,
            files: BTreeMap::new(),
        }
    }
}

/// Whether the `model.json` in `folder` is that of a package.
///
/// # Errors
///
/// When it is there and is not JSON.
pub fn holds_package(folder: &Path) -> Result<bool> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(default)]
        format: Option<String>,
    }
    let path = folder.join(MANIFEST_FILE);
    if !path.is_file() {
        return Ok(false);
    }
    let header = serde_json::from_slice(&read_file(&path)?);
    let Header { format } = header.map_err(CheckpointError::Description)?;
    Ok(format.as_deref() == Some(FORMAT))
}

/// Reads `model.onnx` and, where there is one, the few words in `model.json` of the
/// checkpoint in `folder`, and runs the graph once.
///
/// # Errors
///
/// When a file is missing or damaged, the graph does not run, or what it takes is
/// neither said nor to be guessed.
pub fn read(folder: &Path) -> Result<Described> {
    let described = described(folder)?;
    try_out(&described)?;
    Ok(described)
}

fn described(folder: &Path) -> Result<Described> {
    let graph = read_file(&folder.join(GRAPH_FILE))?;
    let description = read_description(&folder.join(MANIFEST_FILE))?;
    let (inputs, outputs) = signatures(&graph)?;
    let (task, output) = answer(outputs)?;
    let preprocessing = match description.preprocessing {
        Some(given) => given,
        None => guessed(&inputs)?,
    };
    let labels = match (task, description.labels) {
        (Task::Regression, _) => Vec::new(),
        (Task::Classification, Some(labels)) => labels,
        (Task::Classification, None) => numbered(&output)?,
    };
    let tokenizer = folder.join(TOKENIZER_FILE);
    let tokenizer = tokenizer.is_file().then(|| read_file(&tokenizer));
    Ok(Described {
        graph,
        tokenizer: tokenizer.transpose()?,
        task,
        target: description.target.unwrap_or_else(|| "target".to_owned()),
        labels,
        inputs,
        output,
        preprocessing,
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| CheckpointError::Read {
        path: path.to_owned(),
        source,
    })
}

fn read_description(path: &Path) -> Result<Description> {
    if !path.is_file() {
        return Ok(Description::default());
    }
    serde_json::from_slice(&read_file(path)?).map_err(CheckpointError::Description)
}

/// Runs the graph on one row, picture or text.
fn try_out(model: &Described) -> Result<()> {
    let outputs = std::slice::from_ref(&model.output);
    let session = Session::open(model.graph.clone(), &model.inputs, outputs)?;
    let answer = session.run_inputs(sample(model)?, None)?;
    let answer = answer
        .first()
        .ok_or_else(|| unfit("the graph gives nothing"))?;
    let width = match model.task {
        Task::Regression => 1,
        Task::Classification => model.labels.len(),
    };
    if answer.shape != [1, width] {
        return Err(unfit(format!(
            "for one example the graph gives {:?} of shape {:?}, expected [1, {width}]: check the labels in model.json",
            model.output.name, answer.shape
        )));
    }
    let sum: f32 = answer.values.iter().sum();
    let is_share = |value: &f32| (0.0..=1.0).contains(value);
    let are_shares = (sum - 1.0).abs() < 1e-3 && answer.values.iter().all(is_share);
    if model.task == Task::Classification && !are_shares {
        return Err(unfit(format!(
            "its \"probabilities\" of one example sum to {sum}: export the model with a softmax as its last layer"
        )));
    }
    Ok(())
}

fn sample(model: &Described) -> Result<Vec<Input>> {
    let zeros = |shape: Vec<usize>| {
        let values = vec![0.0; shape.iter().product()];
        vec![Input::Floats(Tensor { shape, values })]
    };
    match &model.preprocessing {
        Preprocessing::Table(table) => Ok(zeros(vec![1, table.columns.len()])),
        Preprocessing::Image(image) => {
            image.check()?;
            Ok(zeros(vec![
                1,
                3,
                image.height as usize,
                image.width as usize,
            ]))
        }
        Preprocessing::Text(text) => {
            let missing = || unfit(format!("it takes texts, but holds no {TOKENIZER_FILE}"));
            let file = model.tokenizer.as_deref().ok_or_else(missing)?;
            let tokens = Tokenizer::load(file, text)?.encode(&["a"])?;
            let inputs = model.inputs.iter().map(|input| tokens.input(&input.name));
            Ok(inputs.collect::<std::result::Result<_, _>>()?)
        }
    }
}
