//! What the metadata may say of an input or output (`seldon-serve.md` §3.4).

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::json::Object;
use crate::oip;

/// A tensor of the Open Inference Protocol.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    #[serde(rename = "name")]
    _name: String,
    datatype: String,
    #[serde(rename = "shape")]
    _shape: Vec<i64>,
}

/// A payload of the Seldon protocol.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    messagetype: MessageType,
    #[serde(default)]
    schema: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum MessageType {
    Tensor,
    Ndarray,
    Tftensor,
    JsonData,
    StrData,
    BinData,
    Other,
}

/// The schema of an array. Clients may have keys of their own beside these.
#[derive(Debug, Deserialize)]
struct Array {
    #[serde(default, rename = "names")]
    _names: Vec<String>,
    #[serde(default, rename = "shape")]
    _shape: Vec<i64>,
}

/// Refuses what is neither a tensor of V2 nor a payload with a known type.
///
/// # Errors
///
/// With what is wrong in it, and the two forms.
pub(super) fn check(described: &Value) -> Result<(), String> {
    let checked = match described.get("messagetype") {
        Some(_) => payload(described),
        None => tensor(described),
    };
    checked.map_err(|error| {
        format!("{error}; write {{name, datatype, shape}} or {{messagetype, schema}}")
    })
}

fn tensor(described: &Value) -> Result<(), String> {
    let Object(tensor) = Object::<Tensor>::deserialize(described).map_err(|e| e.to_string())?;
    oip::check_datatype(&tensor.datatype)
}

fn payload(described: &Value) -> Result<(), String> {
    let Object(payload) = Object::<Payload>::deserialize(described).map_err(|e| e.to_string())?;
    match payload.messagetype {
        MessageType::Tensor | MessageType::Ndarray | MessageType::Tftensor => {
            let array = Array::deserialize(Value::Object(payload.schema));
            array
                .map(drop)
                .map_err(|error| format!("schema, names and shape: {error}"))
        }
        MessageType::JsonData
        | MessageType::StrData
        | MessageType::BinData
        | MessageType::Other => Ok(()),
    }
}
