//! What the protocols share on HTTP.

mod around;
mod body;
mod call;
mod encoding;
mod front;
mod router;
mod tell;

pub(crate) use body::Readable;
pub(crate) use front::Front;
pub(crate) use router::metrics_router;

use axum::body::{Bytes, to_bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, StatusCode, response};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::app::App;
use crate::problem::Problem;
use encoding::Encoding;

/// How many seconds a refused client should wait: the queue is a matter of
/// milliseconds, but the header knows only whole seconds.
const RETRY_SECONDS: &str = "1";

/// Reads the whole body, and unpacks it on a compute thread if it is compressed.
///
/// # Errors
///
/// When it is longer than the server allows, by its announced length before
/// anything is read; when it comes too slowly; when it is compressed in a way
/// that is not known; or when the connection breaks.
pub(crate) async fn read(
    app: &App,
    request: Request<impl Readable>,
) -> Result<(Parts, Bytes), Problem> {
    let limit = app.bounds.body;
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(CONTENT_LENGTH);
    let announced: Option<usize> = announced.and_then(|text| text.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Problem::TooLarge(limit));
    }
    let encoding = Encoding::of(&parts.headers)?;
    let body = body::collect(body, limit, app.bounds.patience).await?;
    let body = match encoding {
        None => body,
        Some(encoding) => {
            let plain = app.aside(move || encoding.decode(&body, limit)).await??;
            plain.into()
        }
    };
    if let Some(copy) = parts.extensions.get::<tell::Copy>() {
        copy.keep(&body);
    }
    Ok((parts, body))
}

/// The parts of an answer of ours. Its body is in memory already: there is nothing
/// to bound, nor to fail.
async fn take_apart(response: Response) -> Result<(response::Parts, Bytes), StatusCode> {
    let (parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(body) => Ok((parts, body)),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A reply of JSON text.
pub(crate) fn json_bytes(body: Vec<u8>) -> Response {
    let mut response = Response::new(body.into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A reply of JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, json_bytes(body)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Says when to come again, if that makes sense, and that the connection ends
/// where the rest of the body is not read.
pub(crate) fn advise(problem: &Problem, mut response: Response) -> Response {
    let headers = response.headers_mut();
    match problem {
        Problem::Unavailable(_) => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        Problem::TooLarge(_) | Problem::TooSlow { .. } => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}
