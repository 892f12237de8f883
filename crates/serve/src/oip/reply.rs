//! The reply to an inference request.

use super::datatype::Datatype;
use super::output::{Data, OutputTensor};
use super::request::{RequestedOutput, check_parameters};
use crate::json::Object;
use crate::monitor::Outlier;
use crate::predict::{Prediction, Predictor};
use crate::problem::Problem;
use model::Task;

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

/// The answer to a request, before it has a form.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    pub(super) model_name: &'a str,
    pub(super) model_version: &'a str,
    pub(super) id: Option<&'a str>,
    /// What the request looks like beside the training rows, where it is watched.
    pub(super) outlier: Option<Outlier>,
    pub(super) outputs: Vec<OutputTensor<'a>>,
}

/// The output tensors of a prediction.
pub(super) fn tensors<'a>(
    predictor: &'a Predictor,
    prediction: &'a Prediction,
    chosen: &[Output],
) -> Vec<OutputTensor<'a>> {
    let tensor = |output: &Output| match output {
        Output::Values => OutputTensor {
            name: output.name(predictor),
            shape: vec![prediction.rows, prediction.width],
            datatype: Datatype::Float(32),
            data: Data::Values(&prediction.values),
        },
        Output::Label => OutputTensor {
            name: output.name(predictor),
            shape: vec![prediction.rows],
            datatype: Datatype::Bytes,
            data: Data::Labels(labels(predictor, prediction)),
        },
    };
    chosen.iter().map(tensor).collect()
}

fn labels<'a>(predictor: &'a Predictor, prediction: &Prediction) -> Vec<&'a str> {
    let label = |row| predictor.label_of(row).unwrap_or_default();
    prediction.iter().map(label).collect()
}
