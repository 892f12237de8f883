//! Answers in the shapes of the real master.

use serde_json::{Value, json};

/// An answer.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(u16, Value),
    /// A file: its type, what is sent, and the length that is announced.
    File {
        kind: &'static str,
        content: Vec<u8>,
        length: Option<usize>,
        /// The connection is closed where the content ends.
        cut: bool,
    },
    /// The log of a trial from a line on, which ends when the trial has ended.
    Log {
        trial: i64,
        from: usize,
        follow: bool,
        limit: Option<usize>,
    },
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self::Json(200, body)
    }

    pub(crate) fn empty() -> Self {
        Self::ok(json!({}))
    }

    /// A refusal by a handler of the gateway.
    pub(crate) fn refuse(code: u8, message: impl Into<String>) -> Self {
        let (status, reason) = match code {
            3 => (400, "InvalidArgument"),
            5 => (404, "NotFound"),
            6 => (409, "AlreadyExists"),
            7 => (403, "PermissionDenied"),
            12 => (501, "Unimplemented"),
            16 => (401, "Unauthenticated"),
            _ => (500, "Internal"),
        };
        let error = json!({"code": code, "reason": reason, "error": message.into()});
        Self::Json(status, json!({ "error": error }))
    }

    pub(crate) fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::refuse(5, format!("{what} '{name}' not found"))
    }

    /// A refusal by a route outside the gateway.
    pub(crate) fn plain(status: u16, message: &str) -> Self {
        Self::Json(status, json!({ "message": message }))
    }
}
