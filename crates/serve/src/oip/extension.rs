//! The binary tensor extension: JSON, and behind it tensors as raw bytes.

use serde::Serialize;
use serde_json::Value;

use super::datatype::Datatype;
use super::metadata::Signature;
use super::output::{Listed, OutputTensor};
use super::reply::Reply;
use super::request::{InferRequest, Input, Parameters};
use crate::json::{self, Object, Values};
use crate::monitor::Outlier;
use crate::problem::Problem;

/// A body and, when tensors follow its JSON, where they begin.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) json: Option<usize>,
}

/// Reads a body whose first `length` bytes are JSON; all of it without a length.
/// With the length 0 the body is the model's only input.
pub(super) fn read<'a>(
    signature: &Signature,
    body: &'a [u8],
    length: Option<usize>,
) -> Result<InferRequest<'a>, Problem> {
    let length = length.unwrap_or(body.len());
    if length == 0 && !body.is_empty() {
        return alone(signature, body);
    }
    let (head, tensors) = body.split_at_checked(length).ok_or_else(|| {
        bad(format!(
            "Inference-Header-Content-Length is {length}, the body has {} bytes",
            body.len()
        ))
    })?;
    fill(json::parse(head)?, tensors)
}

/// Gives each input its bytes, in the order of the inputs.
fn fill<'a>(mut request: InferRequest<'a>, tensors: &'a [u8]) -> Result<InferRequest<'a>, Problem> {
    let mut rest = tensors;
    for Object(input) in &mut request.inputs.0 {
        let size = input
            .parameters
            .as_ref()
            .and_then(|p| p.get("binary_data_size"));
        let Some(size) = size else {
            input.settle()?;
            continue;
        };
        let name = &input.name;
        let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
        let size = size.ok_or_else(|| {
            bad(format!(
                "input {name:?}: binary_data_size is no number of bytes"
            ))
        })?;
        let (bytes, after) = rest.split_at_checked(size).ok_or_else(|| {
            let found = rest.len();
            bad(format!(
                "input {name:?}: its binary_data_size is {size}, {found} bytes are left"
            ))
        })?;
        input.fill(bytes)?;
        rest = after;
    }
    match rest.len() {
        0 => Ok(request),
        more => Err(bad(format!(
            "{more} bytes follow the last tensor of the body"
        ))),
    }
}

/// The request whose only input is `body`.
fn alone<'a>(signature: &Signature, body: &'a [u8]) -> Result<InferRequest<'a>, Problem> {
    let ambiguous = || {
        bad(
            "Inference-Header-Content-Length is 0, but the model does not have one input whose \
             shape follows from its size: send the inputs as JSON before the bytes",
        )
    };
    let (name, datatype, shape) = signature.only_input().ok_or_else(ambiguous)?;
    let kind: Datatype = datatype.parse().map_err(bad)?;
    // An element of BYTES is the whole body, without its length.
    let elements = kind.width().map_or(1, |width| body.len() / width);
    let open = shape.iter().filter(|size| **size < 0).count();
    let known = shape.iter().filter_map(|size| usize::try_from(*size).ok());
    let known = known.product::<usize>().max(1);
    if open > 1 {
        return Err(ambiguous());
    }
    let size = |size: &i64| usize::try_from(*size).unwrap_or(elements / known);
    let mut input = Input::new(
        name.to_owned(),
        datatype.to_owned(),
        shape.iter().map(size).collect(),
    );
    match kind {
        Datatype::Bytes => input.set(Values::Any(vec![super::binary::text(body)])),
        _ => input.fill(body)?,
    }
    Ok(InferRequest::new(None, vec![Object(input)], None))
}

#[derive(Serialize)]
struct InferReply<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Outlier>,
    outputs: Vec<TensorReply<'a>>,
}

/// A tensor as JSON.
#[derive(Serialize)]
pub(super) struct TensorReply<'a> {
    pub(super) name: &'a str,
    pub(super) shape: &'a [usize],
    pub(super) datatype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Listed<'a>>,
}

/// That the data follow as bytes.
#[derive(Serialize)]
pub(super) struct Size {
    binary_data_size: usize,
}

/// Writes a reply in the form that `request` asks for.
pub(super) fn write(reply: &Reply<'_>, request: &InferRequest<'_>) -> Result<Body, Problem> {
    let mut tensors = Vec::new();
    let mut any = false;
    let mut outputs = Vec::new();
    for tensor in &reply.outputs {
        let (parameters, data) = if is_binary(request, tensor) {
            let bytes = tensor.raw()?;
            let size = bytes.len();
            tensors.extend(bytes);
            any = true;
            (
                Some(Size {
                    binary_data_size: size,
                }),
                None,
            )
        } else {
            if tensor.datatype == Datatype::Brain {
                let name = tensor.name;
                return Err(bad(format!(
                    "output {name:?}: BF16 cannot be sent as JSON, ask for it with binary_data"
                )));
            }
            (None, Some(Listed(tensor)))
        };
        outputs.push(TensorReply {
            name: tensor.name,
            shape: &tensor.shape,
            datatype: tensor.datatype.name(),
            parameters,
            data,
        });
    }
    let reply = InferReply {
        model_name: reply.model_name,
        model_version: reply.model_version,
        id: reply.id,
        parameters: reply.outlier,
        outputs,
    };
    let mut bytes = serde_json::to_vec(&reply).map_err(|error| bad(error.to_string()))?;
    let json = any.then_some(bytes.len());
    bytes.extend(tensors);
    Ok(Body { bytes, json })
}

/// What the output's own parameter says, else what the request's says.
fn is_binary(request: &InferRequest<'_>, tensor: &OutputTensor<'_>) -> bool {
    let says = |parameters: &Option<Parameters>, key| {
        parameters
            .as_ref()
            .and_then(|map| map.get(key))
            .and_then(Value::as_bool)
    };
    let wanted = request.outputs.iter().flatten();
    let own = wanted
        .filter(|Object(output)| output.name == tensor.name)
        .find_map(|Object(output)| says(&output.parameters, "binary_data"));
    own.or_else(|| says(&request.parameters, "binary_data_output"))
        .unwrap_or_default()
}

fn bad(text: impl Into<String>) -> Problem {
    Problem::BadData(text.into())
}
