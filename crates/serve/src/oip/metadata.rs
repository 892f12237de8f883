//! What `/v2/models/{m}` tells about the model.

use std::collections::HashMap;
use std::sync::LazyLock;

use model::{Column, ColumnKind, Table, TensorSignature};
use serde::Serialize;

use super::inputs::{PICTURE, TEXT};
use super::reply::Output;
use crate::models::Echo;
use crate::predict::{Predictor, Takes};
use crate::proto::inference as pb;

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
    /// That of the conformance model, which takes any tensors.
    pub(crate) fn echo() -> &'static Self {
        static ECHO: LazyLock<Signature> = LazyLock::new(|| Signature {
            name: Echo::NAME.to_owned(),
            versions: vec![Echo::VERSION.to_owned()],
            platform: "",
            inputs: Vec::new(),
            outputs: Vec::new(),
        });
        &ECHO
    }

    /// Name, datatype and shape of the input, if there is only one.
    pub(super) fn only_input(&self) -> Option<(&str, &str, &[i64])> {
        match self.inputs.as_slice() {
            [only] => Some((&only.name, only.datatype, &only.shape)),
            _ => None,
        }
    }

    /// As a message. Its field 6 is left out: it has two meanings.
    pub(super) fn message(&self) -> pb::ModelMetadataResponse {
        let tensors = |tensors: &[TensorMetadata]| tensors.iter().map(of_tensor).collect();
        pb::ModelMetadataResponse {
            name: self.name.clone(),
            versions: self.versions.clone(),
            platform: self.platform.to_owned(),
            inputs: tensors(&self.inputs),
            outputs: tensors(&self.outputs),
            properties: HashMap::default(),
        }
    }

    /// The metadata of `predictor`: one input for all columns where all are
    /// numbers, else one for each, as a tensor has one datatype.
    pub(crate) fn new(predictor: &Predictor) -> Self {
        let inputs = match &predictor.takes {
            Takes::Table(table) => of_table(table, &predictor.inputs),
            Takes::Pictures(_) => vec![of_bytes(PICTURE)],
            Takes::Texts(_) => vec![of_bytes(TEXT)],
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

fn of_table(table: &Table, inputs: &[TensorSignature]) -> Vec<TensorMetadata> {
    let numeric = |column: &Column| column.kind == ColumnKind::Numeric;
    if !table.columns.iter().all(numeric) {
        return table.columns.iter().map(of_column).collect();
    }
    let of_input = |input: &TensorSignature| TensorMetadata {
        name: input.name.clone(),
        datatype: "FP32",
        shape: input.shape.clone(),
    };
    inputs.iter().map(of_input).collect()
}

/// Each element is a picture file or a text.
fn of_bytes(name: &str) -> TensorMetadata {
    TensorMetadata {
        name: name.to_owned(),
        datatype: "BYTES",
        shape: vec![-1],
    }
}

fn of_tensor(tensor: &TensorMetadata) -> pb::model_metadata_response::TensorMetadata {
    pb::model_metadata_response::TensorMetadata {
        name: tensor.name.clone(),
        datatype: tensor.datatype.to_owned(),
        shape: tensor.shape.clone(),
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
