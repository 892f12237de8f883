//! What the fuzz targets in `fuzz/` call: bytes as a client sends them or a volume
//! holds them, and all that the server does with them up to the bytes of its answer.
//!
//! Each function returns unless the server would crash. It panics where the server
//! would blame itself for what came, or write what is not JSON. The tests replay
//! through the same functions what the targets have found.

mod package;
mod picture;
#[cfg(test)]
mod replay;
mod units;

pub use package::package;
pub use picture::picture;
pub(crate) use units::units;

use serde::de::IgnoredAny;

use crate::problem::Problem;
use crate::{oip, seldon};

/// A body of JSON at the paths of the Seldon v1 protocol.
pub fn seldon_json(body: &[u8]) {
    seldon::fuzzing::json(body);
}

/// A body at the same paths, after a line with its content type: a multipart form,
/// a form of fields, or JSON.
pub fn seldon_form(request: &[u8]) {
    let mut parts = request.splitn(2, |&byte| byte == b'\n');
    if let (Some(content_type), Some(body)) = (parts.next(), parts.next()) {
        seldon::fuzzing::form(content_type, body);
    }
}

/// A message of the Seldon v1 protocol over gRPC, as one and as a list of them.
pub fn seldon_grpc(message: &[u8]) {
    seldon::fuzzing::message(message);
}

/// A body of the Open Inference Protocol, after two bytes (little-endian) with the
/// length of its JSON, behind which are raw tensors; 65,535 is no length.
pub fn oip_body(request: &[u8]) {
    if let Some((length, body)) = request.split_first_chunk::<2>() {
        let length = Some(u16::from_le_bytes(*length)).filter(|length| *length != u16::MAX);
        oip::fuzzing::body(body, length.map(usize::from));
    }
}

/// A request of the Open Inference Protocol over gRPC.
pub fn oip_grpc(message: &[u8]) {
    oip::fuzzing::message(message);
}

/// Looks at an answer in JSON.
pub(crate) fn check_json(json: &[u8]) {
    let read = serde_json::from_slice::<IgnoredAny>(json);
    let text = String::from_utf8_lossy(json);
    assert!(read.is_ok(), "{read:?}: {text}");
}

/// Looks at an answer: a client's mistake is no defect of the server.
pub(crate) fn judge<T>(answer: Result<T, Problem>) -> Option<T> {
    if let Err(Problem::Internal(text)) = &answer {
        // What the conformance model says when it is asked to fail.
        assert_eq!(text, "user model failed");
    }
    answer.ok()
}
