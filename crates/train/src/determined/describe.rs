//! What a checkpoint's graph takes and gives, checked as serving will run it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use model::{
    Column, ColumnKind, Datatype, GRAPH_FILE, ImageInput, Input, MANIFEST_FILE, MAX_PIXELS,
    Preprocessing, Resampling, Session, TOKENIZER_FILE, Table, Task, Tensor, TensorSignature,
    Tokenizer,
};
use onnx::proto::{DimensionValue, ValueInfoProto};
use serde::Deserialize;

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

/// A graph with all that a package says of it.
pub(super) struct Described {
    pub(super) graph: Vec<u8>,
    pub(super) tokenizer: Option<Vec<u8>>,
    pub(super) task: Task,
    pub(super) target: String,
    pub(super) labels: Vec<String>,
    pub(super) inputs: Vec<TensorSignature>,
    pub(super) output: TensorSignature,
    pub(super) preprocessing: Preprocessing,
}

/// ONNX element types (`onnx.proto`, `TensorProto.DataType`).
const FLOAT: i32 = 1;
const INT64: i32 = 7;

/// Reads `model.onnx` and, where there is one, `model.json` in `folder`, and runs
/// the graph once.
pub(super) fn read(folder: &Path) -> Result<Described> {
    let graph = fs::read(folder.join(GRAPH_FILE)).context(GRAPH_FILE)?;
    let description = read_description(&folder.join(MANIFEST_FILE))?;
    let (inputs, outputs) = signatures(&graph).context(GRAPH_FILE)?;
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
    let tokenizer = tokenizer.is_file().then(|| fs::read(&tokenizer));
    let described = Described {
        graph,
        tokenizer: tokenizer.transpose().context(TOKENIZER_FILE)?,
        task,
        target: description.target.unwrap_or_else(|| "target".to_owned()),
        labels,
        inputs,
        output,
        preprocessing,
    };
    try_out(&described)?;
    Ok(described)
}

fn read_description(path: &Path) -> Result<Description> {
    if !path.is_file() {
        return Ok(Description::default());
    }
    let text = fs::read(path).context(MANIFEST_FILE)?;
    serde_json::from_slice(&text).context(
        "its model.json may have the keys target, labels and preprocessing (docs/train.md)",
    )
}

type Signatures = (Vec<TensorSignature>, Vec<TensorSignature>);

fn signatures(graph: &[u8]) -> Result<Signatures> {
    let graph = onnx::decode(graph)?.graph.unwrap_or_default();
    let is_constant =
        |value: &ValueInfoProto| graph.initializer.iter().any(|c| c.name == value.name);
    // Exporters of old list the constants among the inputs.
    let inputs = graph.input.iter().filter(|value| !is_constant(value));
    let inputs: Vec<_> = inputs.map(signature).collect::<Result<_>>()?;
    for input in &inputs {
        ensure!(
            input.shape.first() == Some(&-1),
            "its input {:?} has the fixed shape {:?}: export it with a dynamic first dimension (dynamic_axes), as requests hold any number of rows",
            input.name,
            input.shape
        );
    }
    let outputs = graph
        .output
        .iter()
        .filter_map(|value| signature(value).ok());
    Ok((inputs, outputs.collect()))
}

fn signature(value: &ValueInfoProto) -> Result<TensorSignature> {
    let tensor = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor = tensor.with_context(|| format!("{:?} is no tensor", value.name))?;
    let datatype = match tensor.elem_type {
        FLOAT => Datatype::Fp32,
        INT64 => Datatype::Int64,
        other => bail!(
            "{:?} has ONNX element type {other}; FLOAT and INT64 can be served",
            value.name
        ),
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let shape = dims.map(|dim| match dim.value {
        Some(DimensionValue::Value(size)) => size,
        _ => -1,
    });
    Ok(TensorSignature {
        name: value.name.clone(),
        datatype,
        shape: shape.collect(),
    })
}

/// The output that serving answers with says what the graph does.
fn answer(outputs: Vec<TensorSignature>) -> Result<(Task, TensorSignature)> {
    let names: Vec<String> = outputs.iter().map(|o| o.name.clone()).collect();
    let found = outputs
        .into_iter()
        .find_map(|output| match output.name.as_str() {
            "probabilities" => Some((Task::Classification, output)),
            "prediction" => Some((Task::Regression, output)),
            _ => None,
        });
    found.with_context(|| {
        format!(
            "{GRAPH_FILE} has the outputs {}: name the one to serve \"probabilities\" (of a classification, after softmax) or \"prediction\" (of a regression) with output_names of torch.onnx.export",
            names.join(", ")
        )
    })
}

/// Classes that nobody has named.
fn numbered(output: &TensorSignature) -> Result<Vec<String>> {
    match output.shape[..] {
        [_, classes] if classes > 1 => Ok((0..classes).map(|class| class.to_string()).collect()),
        _ => bail!(
            "the shape {:?} of \"probabilities\" does not tell the number of classes: list them under \"labels\" in a model.json beside {GRAPH_FILE}",
            output.shape
        ),
    }
}

/// What the shape of the only input suggests: pictures as torchvision's models
/// take them, or rows of numbers.
fn guessed(inputs: &[TensorSignature]) -> Result<Preprocessing> {
    if let [input] = inputs
        && input.datatype == Datatype::Fp32
    {
        match input.shape[..] {
            [_, 3, height, width] if height > 0 && width > 0 => {
                return Ok(Preprocessing::Image(ImageInput {
                    width: u32::try_from(width)?,
                    height: u32::try_from(height)?,
                    crop: 1.0,
                    resampling: Resampling::Bilinear,
                    // torchvision's mean and deviation of ImageNet, times 255.
                    mean: [123.675, 116.28, 103.53],
                    std: [58.395, 57.12, 57.375],
                    max_pixels: MAX_PIXELS,
                }));
            }
            [_, columns] if columns > 0 => {
                let columns = (0..columns).map(|position| Column {
                    name: format!("{}_{position}", input.name),
                    kind: ColumnKind::Numeric,
                    missing: false,
                });
                return Ok(Preprocessing::Table(Table {
                    columns: columns.collect(),
                }));
            }
            _ => {}
        }
    }
    let shapes: Vec<String> = inputs
        .iter()
        .map(|input| format!("{} {:?} of {:?}", input.name, input.shape, input.datatype))
        .collect();
    bail!(
        "{GRAPH_FILE} takes {}: only one FP32 input of shape [-1, 3, height, width] (pictures) or [-1, columns] (a table) explains itself; say what it takes under \"preprocessing\" in a model.json beside it",
        shapes.join(", ")
    )
}

/// Runs the graph on one row, picture or text.
fn try_out(model: &Described) -> Result<()> {
    let outputs = std::slice::from_ref(&model.output);
    let session = Session::open(model.graph.clone(), &model.inputs, outputs)?;
    let answer = session.run_inputs(sample(model)?, None)?;
    let answer = answer.first().context("the graph gives nothing")?;
    let width = match model.task {
        Task::Regression => 1,
        Task::Classification => model.labels.len(),
    };
    ensure!(
        answer.shape == [1, width],
        "for one example the graph gives {:?} of shape {:?}, expected [1, {width}]: check the labels in model.json",
        model.output.name,
        answer.shape
    );
    let sum: f32 = answer.values.iter().sum();
    let is_share = |value: &f32| (0.0..=1.0).contains(value);
    ensure!(
        model.task == Task::Regression
            || ((sum - 1.0).abs() < 1e-3 && answer.values.iter().all(is_share)),
        "its \"probabilities\" of one example sum to {sum}: export the model with a softmax as its last layer"
    );
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
            let file = model.tokenizer.as_deref();
            let file =
                file.with_context(|| format!("it takes texts, but holds no {TOKENIZER_FILE}"))?;
            let tokens = Tokenizer::load(file, text)?.encode(&["a"])?;
            let inputs = model.inputs.iter().map(|input| tokens.input(&input.name));
            Ok(inputs.collect::<Result<_, _>>()?)
        }
        other => bail!("preprocessing {other:?} is not known"),
    }
}
