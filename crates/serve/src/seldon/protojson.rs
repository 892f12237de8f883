//! The JSON of protocol buffers: strict, with their own names and rules.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::Value;

use crate::proto;

/// Values that are read at a time: each takes more than a hundred bytes on the way.
const MOST: usize = 4 << 20;

/// Reads the message with the full `name` from its JSON.
///
/// # Errors
///
/// When a field is unknown, or has a value of another type; when there are too many
/// values.
pub(super) fn read<M: Message + Default>(name: &str, json: &Value) -> Result<M, String> {
    let values = count(json);
    if values > MOST {
        return Err(format!(
            "it has {values} values, more than the {MOST} that this server reads at a time; \
             send fewer, or the tensor as bytes"
        ));
    }
    let message = DynamicMessage::deserialize(descriptor(name)?, json);
    let message = message.map_err(|error| error.to_string())?;
    message.transcode_to().map_err(|error| error.to_string())
}

/// Writes the message with the full `name` as JSON.
///
/// # Errors
///
/// When `message` is another one.
pub(super) fn write(name: &str, message: &impl Message) -> Result<Value, String> {
    let mut dynamic = DynamicMessage::new(descriptor(name)?);
    dynamic
        .transcode_from(message)
        .map_err(|error| error.to_string())?;
    serde_json::to_value(&dynamic).map_err(|error| error.to_string())
}

/// The values in `json`, with itself.
fn count(json: &Value) -> usize {
    match json {
        Value::Array(values) => 1 + values.iter().map(count).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn descriptor(name: &str) -> Result<MessageDescriptor, String> {
    let found = proto::pool().and_then(|pool| pool.get_message_by_name(name));
    found.ok_or_else(|| format!("there is no message {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::tensorflow::TensorProto;

    #[test]
    fn values_are_counted_before_they_are_read() {
        let read = |count: usize| {
            let json = serde_json::json!({"dtype": "DT_INT32", "intVal": vec![0; count]});
            read::<TensorProto>("tensorflow.TensorProto", &json)
        };
        assert_eq!(read(1000).unwrap().int_val.len(), 1000);
        let refused = read(MOST).unwrap_err();
        assert!(
            refused.starts_with("it has 4194307 values, more than"),
            "{refused}"
        );
    }
}
