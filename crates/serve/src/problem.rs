//! What can go wrong with a request, before a protocol gives it its shape.

use axum::http::StatusCode;

use crate::predict::{BadRow, PoolError, PredictError};

/// Why a request gets no prediction. The text tells the client what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// The request is wrong and will be wrong again.
    #[error("{0}")]
    BadData(String),
    /// There is no such path, model or version.
    #[error("{0}")]
    NotFound(String),
    /// The path does not have this method.
    #[error("this path does not allow the method {0}; the header Allow lists those it does")]
    MethodNotAllowed(String),
    /// The body is longer than allowed.
    #[error("the body is larger than {0} bytes, the limit of this server (--max-body)")]
    TooLarge(usize),
    /// The body is not too long, but what it would become.
    #[error("{0}")]
    TooManyParts(String),
    /// The body comes so slowly that it may never end.
    #[error(
        "the body comes too slowly: {received} bytes so far; send it at 16 KiB a second or more"
    )]
    TooSlow {
        /// Bytes that have come.
        received: usize,
    },
    /// The body is in a form that cannot be read.
    #[error("{0}")]
    MediaType(String),
    /// The same request may succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// The time that the client or the deployment gives a request is over.
    #[error("the deadline passed before the answer")]
    Deadline,
    /// The model or the server failed.
    #[error("{0}")]
    Internal(String),
}

impl Problem {
    /// The HTTP status of both protocols.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadData(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge(_) | Self::TooManyParts(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<PoolError> for Problem {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Full | PoolError::Stale => Self::Unavailable(error.to_string()),
            PoolError::Panicked => Self::Internal(error.to_string()),
        }
    }
}

impl From<BadRow> for Problem {
    fn from(error: BadRow) -> Self {
        Self::BadData(error.to_string())
    }
}

impl From<model::RowError> for Problem {
    fn from(error: model::RowError) -> Self {
        Self::BadData(error.to_string())
    }
}

impl From<PredictError> for Problem {
    fn from(error: PredictError) -> Self {
        match error {
            PredictError::Session(error) => Self::Internal(error.to_string()),
            other => Self::BadData(other.to_string()),
        }
    }
}
