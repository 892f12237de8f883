//! An inference request.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::datatype::Datatype;
use crate::json::{Nested, Object, Scalar};
use crate::problem::Problem;

/// The request of `POST …/infer`. Unknown keys are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct InferRequest<'a> {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) parameters: Option<Map<String, Value>>,
    #[serde(borrow)]
    pub(super) inputs: Vec<Object<Input<'a>>>,
    #[serde(default)]
    pub(super) outputs: Option<Vec<Object<RequestedOutput>>>,
}

/// One input tensor, as sent.
#[derive(Debug, Deserialize)]
pub(super) struct Input<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) datatype: String,
    #[serde(default)]
    pub(super) parameters: Option<Map<String, Value>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Nested<'a>>,
}

/// An output that the client wants.
#[derive(Debug, Deserialize)]
pub(super) struct RequestedOutput {
    pub(super) name: String,
    #[serde(default)]
    pub(super) parameters: Option<Map<String, Value>>,
}

/// An input tensor whose data have been found to fill its shape with its type.
#[derive(Debug)]
pub(super) struct Tensor<'r> {
    pub(super) name: &'r str,
    pub(super) shape: &'r [usize],
    pub(super) is_text: bool,
    pub(super) values: &'r [Scalar<'r>],
}

impl<'a> Input<'a> {
    /// Checks datatype, size and values.
    pub(super) fn check(&self) -> Result<Tensor<'_>, Problem> {
        let bad = |text: String| Problem::BadData(format!("input {:?}: {text}", self.name));
        check_parameters(self.parameters.as_ref()).map_err(|e| bad(e.to_string()))?;
        let datatype: Datatype = self.datatype.parse().map_err(bad)?;
        let data = self
            .data
            .as_ref()
            .ok_or_else(|| bad("it has no data".to_owned()))?;
        let size = self
            .shape
            .iter()
            .try_fold(1, |size: usize, &dimension| size.checked_mul(dimension));
        let (shape, found) = (&self.shape, data.values.len());
        if size != Some(found) {
            let text = format!("{found} values do not fill the shape {shape:?}");
            return Err(bad(text));
        }
        if data.shape.len() != 1 && data.shape != *shape {
            let nesting = &data.shape;
            let text = format!("its data is nested as {nesting:?}, its shape is {shape:?}");
            return Err(bad(text));
        }
        for (index, value) in data.values.iter().enumerate() {
            datatype
                .check(value)
                .map_err(|text| bad(format!("value {} {text}", index + 1)))?;
        }
        Ok(Tensor {
            name: &self.name,
            shape,
            is_text: datatype == Datatype::Bytes,
            values: &data.values,
        })
    }
}

/// Parameters are texts, numbers or truth values.
pub(super) fn check_parameters(parameters: Option<&Map<String, Value>>) -> Result<(), Problem> {
    let wrong =
        |(_, value): &(&String, &Value)| value.is_null() || value.is_array() || value.is_object();
    match parameters.and_then(|map| map.iter().find(wrong)) {
        Some((name, _)) => Err(Problem::BadData(format!(
            "the parameter {name:?} is no text, number or truth value"
        ))),
        None => Ok(()),
    }
}
