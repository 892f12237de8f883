//! Between the messages of gRPC and requests and replies.

use std::collections::HashMap;

use serde_json::Value;

use super::output::OutputTensor;
use super::reply::Reply;
use super::request::{InferRequest, Input, RequestedOutput};
use crate::json::{Object, Scalar, TooMany, Values};
use crate::monitor::Outlier;
use crate::problem::Problem;
use crate::proto::inference as pb;
use pb::infer_parameter::ParameterChoice;
use pb::model_infer_request::InferInputTensor;
use pb::model_infer_response::InferOutputTensor;

/// The request in `message`, whose tensors are either all raw or all lists.
pub(super) fn request(message: &pb::ModelInferRequest) -> Result<InferRequest<'_>, Problem> {
    let raw = &message.raw_input_contents;
    let (found, wanted) = (raw.len(), message.inputs.len());
    if found != 0 && found != wanted {
        return Err(bad(format!(
            "raw_input_contents has {found} tensors, inputs has {wanted}"
        )));
    }
    let inputs = message.inputs.iter().enumerate().map(|(index, input)| {
        let InferInputTensor {
            name,
            datatype,
            shape,
            contents,
            ..
        } = input;
        let bytes = raw.get(index).map(|bytes| &bytes[..]);
        tensor(name, datatype, shape, contents.as_ref(), bytes).map(Object)
    });
    let wanted = message.outputs.iter().map(|output| {
        Object(RequestedOutput {
            name: output.name.clone(),
            parameters: None,
        })
    });
    let id = Some(message.id.clone()).filter(|id| !id.is_empty());
    let inputs = inputs.collect::<Result<_, _>>()?;
    Ok(InferRequest::new(id, inputs, Some(wanted.collect())))
}

/// The tensor whose elements are in a list, or raw.
pub(super) fn tensor<'a>(
    name: &str,
    datatype: &str,
    shape: &[i64],
    contents: Option<&'a pb::InferTensorContents>,
    raw: Option<&'a [u8]>,
) -> Result<Input<'a>, Problem> {
    let size = |size: &i64| {
        usize::try_from(*size).map_err(|_| {
            bad(format!(
                "input {name:?}: the shape {shape:?} has a negative size"
            ))
        })
    };
    let sizes = shape.iter().map(size).collect::<Result<_, _>>()?;
    let mut input = Input::new(name.to_owned(), datatype.to_owned(), sizes);
    match (raw, contents) {
        (Some(_), Some(_)) => {
            return Err(bad(format!(
                "input {name:?} has contents beside raw_input_contents, send one of them"
            )));
        }
        (Some(bytes), None) => input.fill(bytes)?,
        (None, Some(contents)) => input.set(listed(datatype, contents)?),
        (None, None) => input.set(Values::default()),
    }
    Ok(input)
}

/// The elements in the list of the datatype; those in another are not looked at,
/// and leave the shape unfilled.
fn listed<'a>(
    datatype: &str,
    contents: &'a pb::InferTensorContents,
) -> Result<Values<'a>, TooMany> {
    let c = contents;
    Ok(match datatype {
        "BOOL" => Values::of(c.bool_contents.iter().map(|&v| Scalar::Bool(v)))?,
        "INT8" | "INT16" | "INT32" => Values::Integers(each(&c.int_contents)),
        "INT64" => Values::Integers(c.int64_contents.clone()),
        "UINT8" | "UINT16" | "UINT32" => Values::Integers(each(&c.uint_contents)),
        "UINT64" => Values::of(c.uint64_contents.iter().map(|&v| v.into()))?,
        "FP32" => Values::Floats(each(&c.fp32_contents)),
        "FP64" => Values::Floats(c.fp64_contents.clone()),
        "BYTES" => Values::of(c.bytes_contents.iter().map(|v| super::binary::text(v)))?,
        _ => Values::default(),
    })
}

fn each<T: Copy, U: From<T>>(values: &[T]) -> Vec<U> {
    values.iter().map(|&value| value.into()).collect()
}

/// The message of `reply`, raw when the request was.
pub(super) fn response(reply: &Reply<'_>, raw: bool) -> Result<pb::ModelInferResponse, Problem> {
    let mut message = pb::ModelInferResponse {
        model_name: reply.model_name.to_owned(),
        model_version: reply.model_version.to_owned(),
        id: reply.id.unwrap_or_default().to_owned(),
        parameters: reply.outlier.map(parameters).unwrap_or_default(),
        ..Default::default()
    };
    for tensor in &reply.outputs {
        let contents = match raw {
            true => {
                message.raw_output_contents.push(tensor.raw()?.into());
                None
            }
            false => Some(tensor.contents()?),
        };
        message.outputs.push(described(tensor, contents)?);
    }
    Ok(message)
}

fn parameters(outlier: Outlier) -> HashMap<String, pb::InferParameter> {
    let parameter = |(name, value): (&str, Value)| {
        let choice = match value {
            Value::Bool(value) => Some(ParameterChoice::BoolParam(value)),
            // The messages of KServe and MLServer have no double_param.
            value => Some(ParameterChoice::StringParam(value.to_string())),
        };
        let parameter = pb::InferParameter {
            parameter_choice: choice,
        };
        (name.to_owned(), parameter)
    };
    outlier.tags().into_iter().map(parameter).collect()
}

fn described(
    tensor: &OutputTensor<'_>,
    contents: Option<pb::InferTensorContents>,
) -> Result<InferOutputTensor, Problem> {
    let sizes = tensor.shape.iter().map(|size| i64::try_from(*size));
    let shape: Result<_, _> = sizes.collect();
    Ok(InferOutputTensor {
        name: tensor.name.to_owned(),
        datatype: tensor.datatype.name().to_owned(),
        shape: shape.map_err(|_| Problem::Internal("a shape is too large".to_owned()))?,
        contents,
        ..Default::default()
    })
}

fn bad(text: impl Into<String>) -> Problem {
    Problem::BadData(text.into())
}
