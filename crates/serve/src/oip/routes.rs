//! The paths of the Open Inference Protocol.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

use super::answer;
use crate::app::{App, Model};
use crate::http;
use crate::problem::Problem;

/// Announces a body of JSON followed by raw tensors.
const BINARY: HeaderName = HeaderName::from_static("inference-header-content-length");

/// The protocol's paths.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v2", get(server))
        .route("/v2/health/live", get(live))
        .route("/v2/health/ready", get(ready))
        .route("/v2/models/{model}", get(metadata))
        .route("/v2/models/{model}/versions/{version}", get(metadata))
        .route("/v2/models/{model}/ready", get(model_ready))
        .route(
            "/v2/models/{model}/versions/{version}/ready",
            get(model_ready),
        )
        .route("/v2/models/{model}/infer", post(infer))
        .route("/v2/models/{model}/versions/{version}/infer", post(infer))
}

async fn server() -> Response {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let body = json!({"name": name, "version": version, "extensions": []});
    http::json(StatusCode::OK, &body)
}

async fn live() -> Response {
    http::json(StatusCode::OK, &json!({"live": true}))
}

/// The body is the same in shape whatever the answer: clients parse it.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let problem = app.ready().err();
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::status);
    http::json(status, &json!({"ready": problem.is_none()}))
}

async fn metadata(State(app): State<Arc<App>>, path: RawPathParams) -> Response {
    match find(&app, &path) {
        Ok(model) => http::json(StatusCode::OK, &model.signature),
        Err(error) => problem(&error),
    }
}

async fn model_ready(State(app): State<Arc<App>>, path: RawPathParams) -> Response {
    let model = find(&app, &path).and_then(|model| app.ready().map(|_| model));
    match model {
        Ok(model) => {
            let name = &model.predictor.name;
            http::json(StatusCode::OK, &json!({"name": name, "ready": true}))
        }
        Err(error) => problem(&error),
    }
}

async fn infer(State(app): State<Arc<App>>, path: RawPathParams, request: Request) -> Response {
    match inference(&app, &path, request).await {
        Ok(body) => http::json_bytes(body),
        Err(error) => problem(&error),
    }
}

async fn inference(
    app: &Arc<App>,
    path: &RawPathParams,
    request: Request,
) -> Result<Vec<u8>, Problem> {
    find(app, path)?;
    let (parts, body) = http::read(request, app.max_body).await?;
    if parts.headers.contains_key(BINARY) {
        let text = "binary tensor data is not read, send data as JSON";
        return Err(Problem::MediaType(text.to_owned()));
    }
    app.predict(move |predictor, lane| answer(predictor, lane, &body))
        .await
}

/// The model of a path, by the package's name or that of the container.
fn find<'a>(app: &'a App, path: &RawPathParams) -> Result<&'a Model, Problem> {
    let of = |key| {
        path.iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    };
    let model = app.model()?;
    let (name, version) = (&model.predictor.name, &model.predictor.version);
    let asked = of("model").unwrap_or_default();
    if asked != name && Some(asked) != app.node.id.as_deref() {
        let text = format!("there is no model {asked:?}, this server has {name:?}");
        return Err(Problem::NotFound(text));
    }
    match of("version") {
        Some(asked) if asked != version => Err(Problem::NotFound(format!(
            "there is no version {asked:?} of the model {name:?}, this server has {version:?}"
        ))),
        _ => Ok(model),
    }
}

/// The protocol's shape of an error.
pub(crate) fn problem(problem: &Problem) -> Response {
    let body = json!({"error": problem.to_string()});
    http::retry_later(problem, http::json(problem.status(), &body))
}
