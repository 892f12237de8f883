//! What a graph alone tells: its inputs and outputs, and what they suggest.

use onnx::proto::{DimensionValue, ValueInfoProto};

use super::{Result, unfit};
use crate::{
    Column, ColumnKind, Datatype, GRAPH_FILE, ImageInput, MAX_PIXELS, Preprocessing, Resampling,
    Table, Task, TensorSignature,
};

/// ONNX element types (`onnx.proto`, `TensorProto.DataType`).
const FLOAT: i32 = 1;
const INT64: i32 = 7;

pub(super) type Signatures = (Vec<TensorSignature>, Vec<TensorSignature>);

pub(super) fn signatures(graph: &[u8]) -> Result<Signatures> {
    let graph = onnx::decode(graph)?.graph.unwrap_or_default();
    let is_constant =
        |value: &ValueInfoProto| graph.initializer.iter().any(|c| c.name == value.name);
    // Exporters of old list the constants among the inputs.
    let inputs = graph.input.iter().filter(|value| !is_constant(value));
    let inputs: Vec<_> = inputs.map(signature).collect::<Result<_>>()?;
    for input in &inputs {
        if input.shape.first() != Some(&-1) {
            return Err(unfit(format!(
                "the input {:?} of {GRAPH_FILE} has the fixed shape {:?}: export it with a dynamic first dimension (dynamic_axes), as requests hold any number of rows",
                input.name, input.shape
            )));
        }
    }
    let outputs = graph
        .output
        .iter()
        .filter_map(|value| signature(value).ok());
    Ok((inputs, outputs.collect()))
}

fn signature(value: &ValueInfoProto) -> Result<TensorSignature> {
    let tensor = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| unfit(format!("{:?} is no tensor", value.name)))?;
    let datatype = match tensor.elem_type {
        FLOAT => Datatype::Fp32,
        INT64 => Datatype::Int64,
        other => {
            return Err(unfit(format!(
                "{:?} of {GRAPH_FILE} has ONNX element type {other}; FLOAT and INT64 can be served",
                value.name
            )));
        }
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
pub(super) fn answer(outputs: Vec<TensorSignature>) -> Result<(Task, TensorSignature)> {
    let names: Vec<String> = outputs.iter().map(|o| o.name.clone()).collect();
    let found = outputs
        .into_iter()
        .find_map(|output| match output.name.as_str() {
            "probabilities" => Some((Task::Classification, output)),
            "prediction" => Some((Task::Regression, output)),
            _ => None,
        });
    found.ok_or_else(|| {
        unfit(format!(
            "{GRAPH_FILE} has the outputs {}: name the one to serve \"probabilities\" (of a classification, after softmax) or \"prediction\" (of a regression) with output_names of torch.onnx.export",
            names.join(", ")
        ))
    })
}

/// Classes that nobody has named.
pub(super) fn numbered(output: &TensorSignature) -> Result<Vec<String>> {
    match output.shape[..] {
        [_, classes] if classes > 1 => Ok((0..classes).map(|class| class.to_string()).collect()),
        _ => Err(unfit(format!(
            "the shape {:?} of \"probabilities\" does not tell the number of classes: list them under \"labels\" in a model.json beside {GRAPH_FILE}",
            output.shape
        ))),
    }
}

/// What the shape of the only input suggests: pictures as torchvision's models
/// take them, or rows of numbers.
pub(super) fn guessed(inputs: &[TensorSignature]) -> Result<Preprocessing> {
    if let [input] = inputs
        && input.datatype == Datatype::Fp32
    {
        match input.shape[..] {
            [_, 3, height, width] if height > 0 && width > 0 => {
                let side = |size: i64| {
                    u32::try_from(size).map_err(|_| unfit(format!("{size} pixels are too many")))
                };
                return Ok(Preprocessing::Image(ImageInput {
                    width: side(width)?,
                    height: side(height)?,
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
    Err(unfit(format!(
        "{GRAPH_FILE} takes {}: only one FP32 input of shape [-1, 3, height, width] (pictures) or [-1, columns] (a table) explains itself; say what it takes under \"preprocessing\" in a model.json beside it",
        shapes.join(", ")
    )))
}
