//! What `/v2/models/{m}` tells about the model.

use model::{Column, ColumnKind};
use serde::Serialize;

use super::reply::Output;
use crate::predict::Predictor;

/// The model's metadata.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Signature {
    name: String,
    versions: Vec<String>,
    platform: &'static str,
    inputs: Vec<TensorMetadata>,
    outputs: Vec<TensorMetadata>,
}

#[derive(Debug, Clone, Serialize)]
struct TensorMetadata {
    name: String,
    datatype: &'static str,
    /// -1 is any size.
    shape: Vec<i64>,
}

impl Signature {
    /// The metadata of `predictor`: one input for all columns where all are
    /// numbers, else one for each, as a tensor has one datatype.
    pub(crate) fn new(predictor: &Predictor) -> Self {
        let columns = &predictor.table.columns;
        let numeric = |column: &Column| column.kind == ColumnKind::Numeric;
        let inputs = if columns.iter().all(numeric) {
            vec![TensorMetadata {
                name: predictor.input.name.clone(),
                datatype: "FP32",
                shape: predictor.input.shape.clone(),
            }]
        } else {
            columns.iter().map(of_column).collect()
        };
        let of_output = |output: &Output| TensorMetadata {
            name: output.name(predictor).to_owned(),
            datatype: match output {
                Output::Values => "FP32",
                Output::Label => "BYTES",
            },
            shape: match output {
                Output::Values => predictor.output.shape.clone(),
                Output::Label => vec![-1],
            },
        };
        Self {
            name: predictor.name.clone(),
            versions: vec![predictor.version.clone()],
            platform: "onnx",
            inputs,
            outputs: Output::all(predictor.task).iter().map(of_output).collect(),
        }
    }
}

fn of_column(column: &Column) -> TensorMetadata {
    TensorMetadata {
        name: column.name.clone(),
        datatype: match column.kind {
            ColumnKind::Numeric => "FP32",
            ColumnKind::Categorical { .. } => "BYTES",
        },
        shape: vec![-1],
    }
}
