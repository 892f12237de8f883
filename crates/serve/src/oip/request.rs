//! An inference request.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::binary::{self, ReadError};
use super::datatype::Datatype;
use crate::json::{Holds, Nested, Object, Scalar, Together, TooMany, Values};
use crate::problem::Problem;

/// Texts, numbers and truth values by name.
pub(super) type Parameters = Map<String, Value>;

/// The request of `POST …/infer`. Unknown keys are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct InferRequest<'a> {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) parameters: Option<Map<String, Value>>,
    #[serde(borrow)]
    pub(super) inputs: Together<Object<Input<'a>>>,
    #[serde(default)]
    pub(super) outputs: Option<Vec<Object<RequestedOutput>>>,
}

/// One input tensor, as sent.
#[derive(Debug, Deserialize)]
pub(super) struct Input<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    pub(super) shape: Vec<usize>,
    #[serde(borrow)]
    pub(super) datatype: Cow<'a, str>,
    #[serde(default)]
    pub(super) parameters: Option<Map<String, Value>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Nested<'a>>,
    /// Whether the data came as raw bytes, which hold nothing but their type.
    #[serde(skip)]
    is_raw: bool,
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
    pub(super) datatype: Datatype,
    pub(super) is_text: bool,
    pub(super) values: &'r Values<'r>,
}

impl<'a> InferRequest<'a> {
    /// A request that did not come as JSON.
    pub(super) fn new(
        id: Option<String>,
        inputs: Vec<Object<Input<'a>>>,
        outputs: Option<Vec<Object<RequestedOutput>>>,
    ) -> Self {
        Self {
            id,
            parameters: None,
            inputs: Together(inputs),
            outputs,
        }
    }
}

impl InferRequest<'_> {
    /// What the reply depends on.
    pub(super) fn without_inputs(self) -> InferRequest<'static> {
        InferRequest {
            id: self.id,
            parameters: self.parameters,
            inputs: Together(Vec::new()),
            outputs: self.outputs,
        }
    }
}

impl Holds for Object<Input<'_>> {
    fn others(&self) -> usize {
        let data = self.0.data.as_ref();
        data.map_or(0, |data| data.values.others())
    }
}

impl<'a> Input<'a> {
    /// An input whose data are still to come.
    pub(super) fn new(name: String, datatype: String, shape: Vec<usize>) -> Self {
        Self {
            name: name.into(),
            shape,
            datatype: datatype.into(),
            parameters: None,
            data: None,
            is_raw: false,
        }
    }

    /// Takes the elements from a list.
    pub(super) fn set(&mut self, values: Values<'a>) {
        let shape = vec![values.len()];
        self.data = Some(Nested { shape, values });
    }

    /// Takes -0 for the integer that it is in JSON where the datatype wants integers: what
    /// reads JSON gives it as a number with a point, as it does -0.0.
    pub(super) fn settle(&mut self) -> Result<(), TooMany> {
        let Some(Nested { values, .. }) = &mut self.data else {
            return Ok(());
        };
        let is_whole = || {
            matches!(
                self.datatype.parse(),
                Ok(Datatype::Int(_) | Datatype::Uint(_))
            )
        };
        if matches!(values, Values::Integers(_)) || !is_whole() {
            return Ok(());
        }
        let zero = |value: Scalar<'_>| match value {
            Scalar::Float(value) if value == 0.0 && value.is_sign_negative() => Scalar::Integer(0),
            other => other.into_owned(),
        };
        *values = Values::of(std::mem::take(values).iter().map(zero))?;
        Ok(())
    }

    /// The elements where they are not all numbers.
    pub(super) fn others(&mut self) -> &mut [Scalar<'a>] {
        match &mut self.data {
            Some(Nested {
                values: Values::Any(values),
                ..
            }) => values,
            _ => &mut [],
        }
    }

    /// Takes the elements from raw bytes, which must fill the shape.
    pub(super) fn fill(&mut self, bytes: &'a [u8]) -> Result<(), Problem> {
        let bad = |text: String| Problem::BadData(format!("input {:?}: {text}", self.name));
        if self.data.is_some() {
            return Err(bad(
                "it has data and binary_data_size, send one of them".to_owned()
            ));
        }
        let datatype: Datatype = self.datatype.parse().map_err(bad)?;
        let mut sizes = self.shape.iter();
        let size = sizes.try_fold(1, |size: usize, &dimension| size.checked_mul(dimension));
        let size = size.ok_or_else(|| bad(format!("the shape {:?} is too large", self.shape)))?;
        let values = binary::read(datatype, size, bytes).map_err(|error| match error {
            ReadError::Bad(text) => bad(text),
            ReadError::TooMany(error) => error.into(),
        })?;
        self.set(values);
        self.is_raw = true;
        Ok(())
    }

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
        if !self.is_raw {
            datatype.check(&data.values).map_err(bad)?;
        }
        Ok(Tensor {
            name: &self.name,
            shape,
            datatype,
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
