//! The JSON of protocol buffers: strict, with their own names and rules.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::de::Deserializer;
use serde_json::Value;

use crate::proto;

/// Reads the message with the full `name` from its JSON.
///
/// # Errors
///
/// When a field is unknown, or has a value of another type.
pub(super) fn read<'de, M, D>(name: &str, json: D) -> Result<M, String>
where
    M: Message + Default,
    D: Deserializer<'de>,
    D::Error: ToString,
{
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

fn descriptor(name: &str) -> Result<MessageDescriptor, String> {
    let found = proto::pool().and_then(|pool| pool.get_message_by_name(name));
    found.ok_or_else(|| format!("there is no message {name}"))
}
