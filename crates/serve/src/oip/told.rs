//! Calls over gRPC in the JSON of the protocol, for those who are told of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::convert;
use super::echo;
use super::extension::TensorReply;
use super::output::{Listed, OutputTensor};
use super::request::InferRequest;
use crate::json::{Object, Scalar};
use crate::monitor::Outlier;
use crate::problem::Problem;
use crate::proto::inference as pb;
use pb::infer_parameter::ParameterChoice;

#[derive(Serialize)]
struct Asked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    inputs: Vec<TensorReply<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Vec<Wanted<'a>>>,
}

#[derive(Serialize)]
struct Wanted<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Answered<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
    outputs: Vec<TensorReply<'a>>,
}

/// The body of `POST …/infer` that asks the same; bytes that are no text in base64.
///
/// # Errors
///
/// When it is no request.
pub(super) fn request(message: &pb::ModelInferRequest) -> Result<Vec<u8>, Problem> {
    let request = InferRequest {
        outputs: None,
        ..convert::request(message)?
    };
    let request = readable(request);
    let tensors = echo::outputs(&request)?;
    let wanted = message
        .outputs
        .iter()
        .map(|output| Wanted { name: &output.name });
    write(&Asked {
        id: request.id.as_deref(),
        inputs: tensors.iter().map(listed).collect(),
        outputs: (!message.outputs.is_empty()).then(|| wanted.collect()),
    })
}

/// The body of an answer that says the same.
///
/// # Errors
///
/// When it is none of ours.
pub(super) fn response(message: &pb::ModelInferResponse) -> Result<Vec<u8>, Problem> {
    let raw = &message.raw_output_contents;
    let outputs = message.outputs.iter().enumerate().map(|(index, tensor)| {
        let contents = tensor.contents.as_ref();
        let bytes = raw.get(index).map(|bytes| &bytes[..]);
        convert::tensor(
            &tensor.name,
            &tensor.datatype,
            &tensor.shape,
            contents,
            bytes,
        )
        .map(Object)
    });
    let outputs = outputs.collect::<Result<_, _>>()?;
    let outputs = readable(InferRequest::new(None, outputs, None));
    let tensors = echo::outputs(&outputs)?;
    let parameters = message.parameters.iter();
    write(&Answered {
        model_name: &message.model_name,
        model_version: &message.model_version,
        id: &message.id,
        parameters: parameters
            .map(|(name, value)| (name.clone(), parameter(name, value)))
            .collect(),
        outputs: tensors.iter().map(listed).collect(),
    })
}

/// The request with bytes that are no text in base64, as JSON has them.
fn readable<'a>(mut request: InferRequest<'a>) -> InferRequest<'a> {
    for Object(input) in &mut request.inputs.0 {
        for value in input.others() {
            if let Scalar::Bytes(bytes) = value {
                *value = Scalar::Text(STANDARD.encode(bytes).into());
            }
        }
    }
    request
}

fn listed<'a>(tensor: &'a OutputTensor<'a>) -> TensorReply<'a> {
    TensorReply {
        name: tensor.name,
        shape: &tensor.shape,
        datatype: tensor.datatype.name(),
        parameters: None,
        data: Some(Listed(tensor)),
    }
}

fn parameter(name: &str, parameter: &pb::InferParameter) -> Value {
    match &parameter.parameter_choice {
        // A number in JSON, and a text in the message, which has no numbers with a point.
        Some(ParameterChoice::StringParam(value)) if name == Outlier::SCORE => {
            value.parse().unwrap_or_else(|_| value.as_str().into())
        }
        Some(ParameterChoice::BoolParam(value)) => (*value).into(),
        Some(ParameterChoice::Int64Param(value)) => (*value).into(),
        Some(ParameterChoice::StringParam(value)) => value.as_str().into(),
        Some(ParameterChoice::DoubleParam(value)) => (*value).into(),
        Some(ParameterChoice::Uint64Param(value)) => (*value).into(),
        None => Value::Null,
    }
}

fn write(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| Problem::Internal(error.to_string()))
}
