//! A tensor of a reply, and the forms in which it is sent.

use serde::ser::Error;
use serde::{Serialize, Serializer};

use super::binary;
use super::datatype::Datatype;
use crate::json::{Scalar, Values};
use crate::problem::Problem;
use crate::proto::inference as pb;

/// A tensor of a reply.
#[derive(Debug)]
pub(super) struct OutputTensor<'a> {
    pub(super) name: &'a str,
    pub(super) shape: Vec<usize>,
    pub(super) datatype: Datatype,
    pub(super) data: Data<'a>,
}

/// The elements, row by row.
#[derive(Debug)]
pub(super) enum Data<'a> {
    /// What a graph gives.
    Values(&'a [f32]),
    /// The class of each row.
    Labels(Vec<&'a str>),
    /// What was sent.
    Sent(&'a Values<'a>),
}

impl OutputTensor<'_> {
    /// The elements as raw bytes.
    pub(super) fn raw(&self) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::new();
        let mut put = |value: &Scalar<'_>| {
            binary::write(self.datatype, value, &mut out).map_err(|text| self.bad(&text))
        };
        match &self.data {
            Data::Values(values) => {
                return Ok(values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect());
            }
            Data::Labels(labels) => {
                for label in labels {
                    put(&Scalar::Text((*label).into()))?;
                }
            }
            Data::Sent(values) => values.iter().try_for_each(|value| put(&value))?,
        }
        Ok(out)
    }

    /// The elements in the list of their type.
    pub(super) fn contents(&self) -> Result<pb::InferTensorContents, Problem> {
        let mut out = pb::InferTensorContents::default();
        match &self.data {
            Data::Values(values) => out.fp32_contents = values.to_vec(),
            Data::Labels(labels) => {
                let bytes = labels.iter().map(|label| label.as_bytes().to_vec().into());
                out.bytes_contents = bytes.collect();
            }
            Data::Sent(values) => {
                for value in values.iter() {
                    self.add(&mut out, &value).map_err(|text| self.bad(&text))?;
                }
            }
        }
        Ok(out)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the value was checked against its datatype"
    )]
    fn add(&self, out: &mut pb::InferTensorContents, value: &Scalar<'_>) -> Result<(), String> {
        let narrow = |_| "a value is out of its range".to_owned();
        match (self.datatype, value) {
            (Datatype::Bool, Scalar::Bool(value)) => out.bool_contents.push(*value),
            (Datatype::Int(64), Scalar::Integer(value)) => out.int64_contents.push(*value),
            (Datatype::Int(_), Scalar::Integer(value)) => {
                out.int_contents
                    .push(i32::try_from(*value).map_err(narrow)?);
            }
            (Datatype::Uint(64), Scalar::Integer(value)) => {
                out.uint64_contents
                    .push(u64::try_from(*value).map_err(narrow)?);
            }
            (Datatype::Uint(64), Scalar::Unsigned(value)) => out.uint64_contents.push(*value),
            (Datatype::Uint(_), Scalar::Integer(value)) => {
                out.uint_contents
                    .push(u32::try_from(*value).map_err(narrow)?);
            }
            (Datatype::Float(32), value) => out.fp32_contents.push(binary::number(value)? as f32),
            (Datatype::Float(64), value) => out.fp64_contents.push(binary::number(value)?),
            (Datatype::Bytes, Scalar::Text(text)) => {
                out.bytes_contents.push(text.as_bytes().to_vec().into());
            }
            (Datatype::Bytes, Scalar::Bytes(bytes)) => {
                out.bytes_contents.push(bytes.to_vec().into())
            }
            _ => {
                return Err(format!(
                    "{} is sent in raw contents only",
                    self.datatype.name()
                ));
            }
        }
        Ok(())
    }

    fn bad(&self, text: &str) -> Problem {
        Problem::BadData(format!("output {:?}: {text}", self.name))
    }
}

/// The elements as a flat list.
pub(super) struct Listed<'t>(pub(super) &'t OutputTensor<'t>);

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.data {
            Data::Values(values) => values.serialize(serializer),
            Data::Labels(labels) => labels.serialize(serializer),
            Data::Sent(Values::Integers(values)) => values.serialize(serializer),
            Data::Sent(Values::Floats(values)) if self.0.datatype != Datatype::Float(32) => {
                values.serialize(serializer)
            }
            Data::Sent(values) => {
                let is_single = self.0.datatype == Datatype::Float(32);
                serializer.collect_seq(values.iter().map(|value| Sent { value, is_single }))
            }
        }
    }
}

/// An element of what was sent, which may be an FP32.
struct Sent<'t> {
    value: Scalar<'t>,
    is_single: bool,
}

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            #[expect(clippy::cast_possible_truncation, reason = "its datatype is FP32")]
            Scalar::Float(value) if self.is_single => (*value as f32).serialize(serializer),
            Scalar::Bytes(_) => {
                let text = "an element is no UTF-8 text, ask for it with binary_data";
                Err(S::Error::custom(text))
            }
            value => value.serialize(serializer),
        }
    }
}
