//! Short ways into a JSON document whose shape another program decides: what is
//! absent or of another type reads as empty.

use serde_json::Value;

/// The text at the JSON pointer, or "".
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

/// The whole number at the JSON pointer, or 0.
pub(crate) fn number(value: &Value, pointer: &str) -> i64 {
    let found = value.pointer(pointer).and_then(Value::as_i64);
    found.unwrap_or_default()
}

/// The list at the JSON pointer, or an empty one.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

/// The element of the list at the JSON pointer whose `name` is this one.
pub(crate) fn named<'a>(value: &'a Value, pointer: &str, name: &str) -> Option<&'a Value> {
    items(value, pointer)
        .iter()
        .find(|item| text(item, "/name") == name)
}

/// Sets `key` of the object at the JSON pointer, which must be there; elsewhere
/// nothing happens.
pub(crate) fn set(value: &mut Value, pointer: &str, key: &str, new: Value) {
    if let Some(Value::Object(object)) = value.pointer_mut(pointer) {
        object.insert(key.to_owned(), new);
    }
}
