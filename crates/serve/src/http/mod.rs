//! What the protocols share on HTTP.

mod call;
mod layers;
mod router;

pub(crate) use router::{metrics_router, router};

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;
use serde::Serialize;

use crate::problem::Problem;

/// How many seconds a refused client should wait: the queue is a matter of
/// milliseconds, but the header knows only whole seconds.
const RETRY_SECONDS: &str = "1";

/// Reads the whole body of at most `limit` bytes.
///
/// # Errors
///
/// When it is longer, by its announced length before anything is read; when it
/// is compressed; or when the connection breaks.
pub(crate) async fn read(request: Request, limit: usize) -> Result<(Parts, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let header = |name| parts.headers.get(name)?.to_str().ok();
    let announced: Option<usize> = header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Problem::TooLarge(limit));
    }
    if let Some(encoding) = header(CONTENT_ENCODING).filter(|&name| name != "identity") {
        return Err(Problem::MediaType(format!(
            "the content encoding {encoding:?} is not read, send the body uncompressed"
        )));
    }
    let bytes = to_bytes(body, limit).await.map_err(|error| {
        let too_long =
            std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>());
        if too_long {
            Problem::TooLarge(limit)
        } else {
            Problem::BadData(format!("the body ends early: {error}"))
        }
    })?;
    Ok((parts, bytes))
}

/// A reply of JSON text.
pub(crate) fn json_bytes(body: Vec<u8>) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], body).into_response()
}

/// A reply of JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, json_bytes(body)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Says when to come again, if that makes sense.
pub(crate) fn retry_later(problem: &Problem, mut response: Response) -> Response {
    if matches!(problem, Problem::Unavailable(_)) {
        let seconds = HeaderValue::from_static(RETRY_SECONDS);
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}
