//! Requests from their bytes to those of the answer.

use axum::body::Bytes;
use prost::Message;

use super::extension::Body;
use super::rpc;
use crate::fuzzing::{check_json, units};
use crate::proto::inference::ModelInferRequest;

/// A body whose JSON has this `length`, if raw tensors may follow it.
pub(crate) fn body(body: &[u8], length: Option<usize>) {
    let units = units();
    for unit in &units.all {
        let reply = units.ask(unit, || super::answer(unit, body, length));
        if let Some(Body { mut bytes, json }) = reply {
            bytes.truncate(json.unwrap_or(bytes.len()));
            check_json(&bytes);
        }
    }
}

/// A message.
pub(crate) fn message(bytes: &[u8]) {
    let units = units();
    if let Ok(message) = ModelInferRequest::decode(Bytes::copy_from_slice(bytes)) {
        for unit in &units.all {
            let reply = units.ask(unit, || rpc::read(unit, &message));
            reply.map(|reply| reply.encode_to_vec());
        }
    }
}
