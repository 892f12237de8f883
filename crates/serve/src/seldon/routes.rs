//! The paths of the Seldon v1 protocol.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use uuid::Uuid;

use super::{answer, reply, source};
use crate::app::App;
use crate::http;
use crate::problem::Problem;

/// The request's ID, given by the orchestrator or made here.
const PUID: HeaderName = HeaderName::from_static("seldon-puid");

/// The protocol's paths. They stand at the root: the ingress strips its prefix.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/predict", get(predict).post(predict))
        .route("/api/v1.0/predictions", post(predict))
        .route("/api/v0.1/predictions", post(predict))
        .route("/health/ping", get(async || Html("pong")))
        .route("/health/status", get(status))
        .route("/api/v1.0/health/status", get(status))
        .route("/metadata", get(metadata))
        .route("/api/v1.0/metadata", get(metadata))
        .route("/ready", get(ready))
        .route("/live", get(async || StatusCode::OK))
}

async fn predict(State(app): State<Arc<App>>, request: Request) -> Response {
    let puid = puid(request.headers());
    let mut response = match prediction(&app, request).await {
        Ok(body) => http::json_bytes(body),
        Err(error) => problem(&error),
    };
    response.headers_mut().insert(PUID, puid);
    response
}

async fn prediction(app: &Arc<App>, request: Request) -> Result<Vec<u8>, Problem> {
    let (parts, body) = http::read(request, app.max_body).await?;
    let message = source::message(&parts, &body)?;
    let node = Arc::clone(&app.node);
    app.predict(move |predictor, lane| {
        let message = message.as_deref().unwrap_or(&body);
        answer(predictor, lane, &node, message)
    })
    .await
}

fn puid(headers: &HeaderMap) -> HeaderValue {
    let made = || HeaderValue::from_str(&Uuid::new_v4().simple().to_string());
    match headers.get(PUID) {
        Some(given) => given.clone(),
        None => made().unwrap_or(HeaderValue::from_static("")),
    }
}

async fn status(State(app): State<Arc<App>>) -> Response {
    match app.ready() {
        Ok(_) => http::json(StatusCode::OK, &reply::healthy(&app.node)),
        Err(error) => problem(&error),
    }
}

async fn metadata(State(app): State<Arc<App>>) -> Response {
    match app.model() {
        Ok(model) => http::json(StatusCode::OK, &model.metadata),
        Err(error) => problem(&error),
    }
}

async fn ready(State(app): State<Arc<App>>) -> StatusCode {
    match app.ready() {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The protocol's shape of an error.
pub(crate) fn problem(problem: &Problem) -> Response {
    let reason = match problem {
        Problem::Internal(_) => "MICROSERVICE_INTERNAL_ERROR",
        Problem::Unavailable(_) => "MICROSERVICE_UNAVAILABLE",
        _ => "MICROSERVICE_BAD_DATA",
    };
    let info = problem.to_string();
    let body = json!({"status": {"code": -1, "info": info, "reason": reason, "status": 1}});
    http::retry_later(problem, http::json(problem.status(), &body)).into_response()
}
