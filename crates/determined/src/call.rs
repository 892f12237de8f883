//! One request: what is sent, whether it may be sent again, and what its failure
//! means.

use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::Error;

/// One request in the making.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) accept: &'static str,
    /// Doing it twice is doing it once.
    pub(crate) repeatable: bool,
    /// The answer goes on for as long as there is something to tell.
    pub(crate) stream: bool,
    /// How long the answer may take, unless as long as usual.
    pub(crate) timeout: Option<Duration>,
}

impl Call {
    fn new(method: Method, path: &[&str]) -> Self {
        Self {
            repeatable: method == Method::GET,
            method,
            path: path.iter().map(|&s| s.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            accept: "application/json",
            stream: false,
            timeout: None,
        }
    }

    /// A request below `/api/v1`.
    pub(crate) fn api(method: Method, path: &[&str]) -> Self {
        Self::new(method, &[&["api", "v1"], path].concat())
    }

    /// `GET /api/v1/…`.
    pub(crate) fn get(path: &[&str]) -> Self {
        Self::api(Method::GET, path)
    }

    /// `POST /api/v1/…`.
    pub(crate) fn post(path: &[&str]) -> Self {
        Self::api(Method::POST, path)
    }

    /// A request outside the API, for a file of the given type.
    pub(crate) fn file(path: &[&str], accept: &'static str) -> Self {
        Self {
            accept,
            ..Self::new(Method::GET, path).stream()
        }
    }

    /// Says that the answer is read while it comes, without a limit in time.
    pub(crate) fn stream(mut self) -> Self {
        self.stream = true;
        self
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_value(body)
            .map_err(|e| Error::setting("request body", "", e.to_string()))?;
        self.body = Some(body);
        Ok(self)
    }

    /// Says that doing it twice is doing it once, though it is no GET.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Method and path, for errors.
    fn name(&self) -> String {
        format!("{} /{}", self.method, self.path.join("/"))
    }

    /// An error of the network. When nothing can have been sent, or sending again
    /// does no harm, it is only that; else the outcome is open.
    pub(crate) fn broken(&self, error: reqwest::Error) -> Error {
        let request = self.name();
        if self.repeatable || error.is_connect() {
            let source = error.without_url().into();
            return Error::Unreachable { request, source };
        }
        let reason = if error.is_timeout() {
            "it took too long".to_owned()
        } else {
            error.without_url().to_string()
        };
        Error::Uncertain { request, reason }
    }

    /// An answer that stopped while it was being read.
    pub(crate) fn cut(&self, error: io::Error) -> Error {
        Error::Unreachable {
            request: self.name(),
            source: error.into(),
        }
    }

    /// The error that ended a stream after it had begun.
    pub(crate) fn stream_error(&self, status: u16, message: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.refused(status, message.as_bytes())
    }

    /// The error of an answer that is not a success.
    pub(crate) fn refused(&self, status: StatusCode, body: &[u8]) -> Error {
        match Error::answer(self.name(), status, body) {
            Error::Unavailable(answer) if !self.repeatable => Error::Uncertain {
                reason: format!("{}: {}", answer.status, answer.message),
                request: answer.request,
            },
            error => error,
        }
    }

    pub(crate) fn unexpected(&self, reason: impl fmt::Display) -> Error {
        Error::Unexpected {
            request: self.name(),
            reason: reason.to_string(),
        }
    }
}
