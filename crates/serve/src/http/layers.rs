//! What happens around every request.
//!
//! No layers of axum: each puts a request and its answer into boxes of its own.

use std::time::{Duration, Instant};

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::call;
use super::encoding::{Encoding, SHORT};
use super::router::in_shape_of;
use super::take_apart;
use super::tell::tell;
use crate::app::App;
use crate::problem::Problem;

/// Answers a request by `next` within `longest`, with all that is around.
pub(super) async fn around(
    app: &App,
    longest: Option<Duration>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let next = async |request| deadline(longest, request, next).await;
    let next = async |request| match &app.events {
        Some(events) => tell(events, request, next).await,
        None => next(request).await,
    };
    let next = async |request| compress(app, request, next).await;
    let next = async |request| allow_origins(request, next).await;
    observe(app, request, next).await
}

/// Counts the request, and asks its client to leave when the server drains.
async fn observe(
    app: &App,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let start = Instant::now();
    let (protocol, method) = call::labels(request.uri().path());
    let service = call::service(request.uri().path());
    let verb = call::verb(request.method());
    let mut response = next(request).await;
    let (code, time) = (response.status(), start.elapsed());
    app.metrics.answered(protocol, method, code.as_str(), time);
    if let Some(service) = service {
        app.metrics.served(service, verb, code.as_str(), time);
    }
    if app.is_draining() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// Ends a request that takes longer than the deployment allows: what is dropped
/// before its turn comes is not computed.
async fn deadline(
    longest: Option<Duration>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let Some(longest) = longest else {
        return next(request).await;
    };
    let uri = request.uri().clone();
    match timeout(longest, next(request)).await {
        Ok(response) => response,
        Err(_) => in_shape_of(uri.path(), &Problem::Deadline),
    }
}

/// Packs an answer that is worth it, on a compute thread, as the client asks.
async fn compress(
    app: &App,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let wanted = Encoding::wanted(request.headers());
    let response = next(request).await;
    let length = response.body().size_hint().exact();
    let long = length.is_some_and(|length| length >= SHORT);
    let Some(encoding) = wanted.filter(|_| long) else {
        return response;
    };
    let (mut parts, plain) = match take_apart(response).await {
        Ok(taken) => taken,
        Err(status) => return status.into_response(),
    };
    let body = plain.clone();
    match app.aside(move || encoding.encode(&plain)).await {
        Ok(Ok(packed)) => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.insert(CONTENT_ENCODING, encoding.into());
            let vary = HeaderValue::from_static("Accept-Encoding");
            parts.headers.append(VARY, vary);
            Response::from_parts(parts, packed.into())
        }
        // Too much to do: the client gets it as it is.
        _ => Response::from_parts(parts, body.into()),
    }
}

/// Lets pages of any origin call the server, as the Python wrapper does, and
/// answers OPTIONS with the methods of the path.
async fn allow_origins(request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let asks = request.method() == Method::OPTIONS;
    let mut response = next(request).await;
    if asks && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = options(response.headers().get(ALLOW).cloned());
    }
    let headers = response.headers_mut();
    if origin.is_some() {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    let origin = origin.unwrap_or(HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response
}

fn options(allow: Option<HeaderValue>) -> Response {
    let methods = allow.unwrap_or(HeaderValue::from_static("GET,HEAD"));
    let headers = [
        (ALLOW, methods.clone()),
        (ACCESS_CONTROL_ALLOW_METHODS, methods),
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*")),
    ];
    headers.into_response()
}
