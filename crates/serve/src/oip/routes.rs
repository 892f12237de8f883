//! The paths of the Open Inference Protocol.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer;
use super::extension::Body;
use crate::app::{App, Unit};
use crate::problem::Problem;
use crate::{http, json};

/// Announces a body of JSON followed by raw tensors.
const BINARY: HeaderName = HeaderName::from_static("inference-header-content-length");

/// What the server does beyond the protocol.
pub(super) const EXTENSIONS: [&str; 1] = ["binary_tensor_data"];

/// The protocol's paths.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v2", get(server))
        .route("/v2/health/live", get(live))
        .route("/v2/health/ready", get(ready))
        .route("/v2/repository/index", post(repository))
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
    let body = json!({"name": name, "version": version, "extensions": EXTENSIONS});
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
    match of_path(&app, &path) {
        Ok(unit) => http::json(StatusCode::OK, unit.signature()),
        Err(error) => problem(&error),
    }
}

async fn model_ready(State(app): State<Arc<App>>, path: RawPathParams) -> Response {
    match of_path(&app, &path).and_then(|unit| app.ready().map(|_| unit)) {
        Ok(unit) => {
            let name = unit.name();
            http::json(StatusCode::OK, &json!({"name": name, "ready": true}))
        }
        Err(error) => problem(&error),
    }
}

async fn infer(State(app): State<Arc<App>>, path: RawPathParams, request: Request) -> Response {
    match inference(&app, &path, request).await {
        Ok(body) => respond(body),
        Err(error) => problem(&error),
    }
}

async fn inference(
    app: &Arc<App>,
    path: &RawPathParams,
    request: Request,
) -> Result<Body, Problem> {
    of_path(app, path)?;
    let (parts, body) = http::read(app, request).await?;
    let length = parts.headers.get(BINARY).map(|value| {
        let length = value.to_str().ok().and_then(|text| text.parse().ok());
        length.ok_or_else(|| {
            let text = format!("{BINARY} is {value:?}, expected the length of the JSON in bytes");
            Problem::BadData(text)
        })
    });
    let length = length.transpose()?;
    app.compute(move |unit, lane| answer(unit, lane, &body, length))
        .await
}

fn respond(body: Body) -> Response {
    let Some(length) = body.json else {
        return http::json_bytes(body.bytes);
    };
    let octets = HeaderValue::from_static("application/octet-stream");
    let headers = [(CONTENT_TYPE, octets), (BINARY, HeaderValue::from(length))];
    (headers, body.bytes).into_response()
}

/// A model in the repository's index.
#[derive(Debug, Serialize)]
pub(super) struct Indexed {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) state: &'static str,
    pub(super) reason: &'static str,
}

/// The models of the server; none before one is loaded.
pub(super) fn index(app: &App, only_ready: bool) -> Vec<Indexed> {
    let Ok(unit) = app.unit() else {
        return Vec::new();
    };
    let (state, reason) = match app.is_draining() {
        true if only_ready => return Vec::new(),
        true => ("UNAVAILABLE", "the server is shutting down"),
        false => ("READY", ""),
    };
    vec![Indexed {
        name: unit.name().to_owned(),
        version: unit.version().to_owned(),
        state,
        reason,
    }]
}

async fn repository(State(app): State<Arc<App>>, request: Request) -> Response {
    match indexed(&app, request).await {
        Ok(models) => http::json(StatusCode::OK, &models),
        Err(error) => problem(&error),
    }
}

async fn indexed(app: &App, request: Request) -> Result<Vec<Indexed>, Problem> {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        ready: bool,
    }
    let (_, body) = http::read(app, request).await?;
    let only_ready = match body.trim_ascii() {
        [] => false,
        body => json::parse::<Asked>(body)?.ready,
    };
    Ok(index(app, only_ready))
}

/// What a path names.
fn of_path<'a>(app: &'a App, path: &RawPathParams) -> Result<&'a Arc<Unit>, Problem> {
    let of = |key| {
        path.iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    };
    find(app, of("model").unwrap_or_default(), of("version"))
}

/// What is served, asked for by the package's name or that of the container; an
/// empty version is any.
pub(super) fn find<'a>(
    app: &'a App,
    asked: &str,
    version: Option<&str>,
) -> Result<&'a Arc<Unit>, Problem> {
    let unit = app.unit()?;
    let name = unit.name();
    if asked != name && Some(asked) != app.node.id.as_deref() {
        let text = format!("there is no model {asked:?}, this server has {name:?}");
        return Err(Problem::NotFound(text));
    }
    let found = unit.version();
    match version.filter(|version| !version.is_empty()) {
        Some(asked) if asked != found => Err(Problem::NotFound(format!(
            "there is no version {asked:?} of the model {name:?}, this server has {found:?}"
        ))),
        _ => Ok(unit),
    }
}

/// The protocol's shape of an error.
pub(crate) fn problem(problem: &Problem) -> Response {
    let body = json!({"error": problem.to_string()});
    http::retry_later(problem, http::json(problem.status(), &body))
}
