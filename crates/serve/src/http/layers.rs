//! What happens around every request.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CONNECTION, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::call;
use crate::app::App;

/// Counts the request, and asks its client to leave when the server drains.
pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (protocol, method) = call::labels(request.uri().path());
    let mut response = next.run(request).await;
    let code = response.status();
    app.metrics
        .answered(protocol, method, code, start.elapsed());
    if app.is_draining() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// Lets pages of any origin call the server, as the Python wrapper does, and
/// answers OPTIONS with the methods of the path.
pub(super) async fn allow_origins(request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let asks = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if asks && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response = options(response.headers().get(ALLOW).cloned());
    }
    let headers = response.headers_mut();
    if origin.is_some() {
        headers.insert(VARY, HeaderValue::from_static("Origin"));
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
