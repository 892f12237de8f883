//! The message back as it came: what a unit does that has no method of its own.

use serde_json::Value;

use super::array::{Array, List};
use super::message::{Data, Payload};
use super::names::Names;
use super::reply::{Body, Form};
use super::tftensor;
use crate::json::{Nested, Values};
use crate::problem::Problem;

/// The `payload` as the payload of a reply.
///
/// # Errors
///
/// When it is none that a model could return.
pub(super) fn body(payload: Payload<'_>) -> Result<Body<'_>, Problem> {
    match payload {
        Payload::Text(text) => Ok(Body::Text(text)),
        Payload::Bytes(bytes) => Ok(Body::Bytes(bytes)),
        Payload::Custom(any) => Ok(Body::Custom(any)),
        Payload::Json(value) => json(value),
        Payload::Data(data) => match data.tftensor {
            Some(tensor) if data.tensor.is_none() && data.ndarray.is_none() => {
                let array = tftensor::decode(&tensor)?;
                let names = Names::counted(&array.shape);
                Ok(match array.is_numeric() {
                    true => Body::Tftensor(names, tensor),
                    false => Body::Ndarray(names, array),
                })
            }
            _ => {
                let (form, array) = array(data)?;
                Ok(Body::of_array(form, Names::counted(&array.shape), array))
            }
        },
    }
}

/// The array of `data`; without one, it is empty.
///
/// # Errors
///
/// When its values do not fill its shape.
pub(super) fn array(data: Data<'_>) -> Result<(Form, Array<'_>), Problem> {
    match (data.tensor, data.ndarray, data.tftensor) {
        (Some(tensor), _, _) => Ok((Form::Tensor, Array::of_tensor(tensor.0)?)),
        (None, nested, None) => Ok((
            Form::Ndarray,
            Array::of_nested(nested.unwrap_or_else(|| Nested {
                shape: vec![0],
                values: Values::default(),
            })),
        )),
        (None, Some(nested), Some(_)) => Ok((Form::Ndarray, Array::of_nested(nested))),
        (None, None, Some(tensor)) => Ok((Form::Tftensor, tftensor::decode(&tensor)?)),
    }
}

fn json(value: Value) -> Result<Body<'static>, Problem> {
    match value {
        Value::Object(_) => Ok(Body::Json(value)),
        Value::String(text) => Ok(Body::Text(text.into())),
        Value::Array(_) => list(value),
        Value::Null | Value::Bool(_) | Value::Number(_) => Err(Problem::BadData(format!(
            "jsonData is {value}, expected an object, a list or a text"
        ))),
    }
}

fn list(value: Value) -> Result<Body<'static>, Problem> {
    let array = match List::of(&value)? {
        List::Array(array) => array.owned(),
        List::Other(shape) => return Ok(Body::List(Names::counted(&shape), value)),
    };
    let names = Names::counted(&array.shape);
    Ok(Body::of_array(Form::Tensor, names, array))
}
