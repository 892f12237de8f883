//! All paths of the two ports.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::call;
use crate::app::App;
use crate::problem::Problem;
use crate::{oip, page, seldon};

/// Where metrics are found besides the configured endpoint: the defaults of the
/// Python wrapper and of Seldon's operator.
const METRICS: [&str; 2] = ["/metrics", "/prometheus"];

/// The paths of the HTTP port, the page for people with them if it is `with_page`.
pub(super) fn router(app: &Arc<App>, with_page: bool) -> Router {
    let for_people = match with_page {
        true => page::router(),
        false => Router::new(),
    };
    Router::new()
        .merge(seldon::router())
        .merge(oip::router())
        .merge(for_people)
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(Arc::clone(app))
}

/// The paths of the metrics port; `endpoint` is one more.
pub(crate) fn metrics_router(app: &Arc<App>, endpoint: &str) -> Router {
    let more = Some(endpoint).filter(|path| !METRICS.contains(path));
    METRICS
        .into_iter()
        .chain(more)
        .fold(Router::new(), |router, path| {
            router.route(path, get(metrics))
        })
        .with_state(Arc::clone(app))
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    // Version 0.0.4 of Prometheus' text format.
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    app.models.settle();
    match app.metrics.text(app.waiting()) {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => seldon::problem(&Problem::Internal(error.to_string())),
    }
}

async fn not_found(uri: Uri) -> Response {
    let text = format!("there is no path {:?}", uri.path());
    in_shape_of(uri.path(), &Problem::NotFound(text))
}

async fn not_allowed(method: Method, uri: Uri) -> Response {
    in_shape_of(uri.path(), &Problem::MethodNotAllowed(method.to_string()))
}

/// A problem in the shape of the path's protocol.
pub(super) fn in_shape_of(path: &str, problem: &Problem) -> Response {
    if call::is_oip(path) {
        oip::problem(problem)
    } else {
        seldon::problem(problem)
    }
}
