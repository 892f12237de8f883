//! The reply to an inference request.

use model::Task;
use serde::{Serialize, Serializer};

use super::request::{RequestedOutput, check_parameters};
use crate::json::Object;
use crate::predict::{Prediction, Predictor};
use crate::problem::Problem;

/// The name of the output that holds the predicted class of each row.
pub(super) const LABEL: &str = "label";

/// An output that this model gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// The graph's own output.
    Values,
    /// The class of each row.
    Label,
}

impl Output {
    /// The outputs of a model, in the order of its metadata.
    pub(super) fn all(task: Task) -> &'static [Self] {
        match task {
            Task::Classification => &[Self::Values, Self::Label],
            Task::Regression => &[Self::Values],
        }
    }

    /// The output's name.
    pub(super) fn name(self, predictor: &Predictor) -> &str {
        match self {
            Self::Values => &predictor.output.name,
            Self::Label => LABEL,
        }
    }
}

/// The outputs that a request wants: those it names, or all.
pub(super) fn chosen(
    predictor: &Predictor,
    requested: Option<&[Object<RequestedOutput>]>,
) -> Result<Vec<Output>, Problem> {
    let all = Output::all(predictor.task);
    let requested = match requested {
        None | Some([]) => return Ok(all.to_vec()),
        Some(requested) => requested,
    };
    let find = |Object(wanted): &Object<RequestedOutput>| {
        check_parameters(wanted.parameters.as_ref())?;
        let mut all = all.iter().copied();
        all.find(|output| output.name(predictor) == wanted.name)
            .ok_or_else(|| unknown(predictor, &wanted.name))
    };
    requested.iter().map(find).collect()
}

fn unknown(predictor: &Predictor, name: &str) -> Problem {
    let all = Output::all(predictor.task).iter();
    let names: Vec<&str> = all.map(|output| output.name(predictor)).collect();
    Problem::BadData(format!(
        "unknown output {name:?}, the model gives {}",
        names.join(", ")
    ))
}

#[derive(Serialize)]
struct InferReply<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    outputs: Vec<TensorReply<'a>>,
}

#[derive(Serialize)]
struct TensorReply<'a> {
    name: &'a str,
    shape: Vec<usize>,
    datatype: &'a str,
    data: Data<'a>,
}

enum Data<'a> {
    Values(&'a [f32]),
    Labels(&'a Predictor, &'a Prediction),
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Values(values) => values.serialize(serializer),
            Self::Labels(predictor, prediction) => {
                serializer.collect_seq(prediction.iter().map(|row| predictor.label_of(row)))
            }
        }
    }
}

/// The reply's bytes.
pub(super) fn write(
    predictor: &Predictor,
    prediction: &Prediction,
    chosen: &[Output],
    id: Option<String>,
) -> Result<Vec<u8>, Problem> {
    let tensor = |output: &Output| match output {
        Output::Values => TensorReply {
            name: output.name(predictor),
            shape: vec![prediction.rows, prediction.width],
            datatype: "FP32",
            data: Data::Values(&prediction.values),
        },
        Output::Label => TensorReply {
            name: output.name(predictor),
            shape: vec![prediction.rows],
            datatype: "BYTES",
            data: Data::Labels(predictor, prediction),
        },
    };
    let reply = InferReply {
        model_name: &predictor.name,
        model_version: &predictor.version,
        id,
        outputs: chosen.iter().map(tensor).collect(),
    };
    serde_json::to_vec(&reply).map_err(|e| Problem::Internal(e.to_string()))
}
