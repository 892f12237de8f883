//! The paths of the Open Inference Protocol.

use std::sync::Arc;

use axum::Router;
use axum::extract::{self, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method as Verb, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer;
use super::extension::Body;
use crate::app::App;
use crate::http::Readable;
use crate::models::{Entry, State, Unit};
use crate::monitor::Monitor;
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
        // As the protocol's own OpenAPI document names it.
        .route("/v2/", get(server))
        .route("/v2/health/live", get(live))
        .route("/v2/health/ready", get(ready))
        .route("/v2/repository/index", post(repository))
        .route("/v2/repository/models/{model}/load", post(load))
        .route("/v2/repository/models/{model}/unload", post(unload))
        .route("/v2/models/{model}", get(metadata))
        .route("/v2/models/{model}/versions/{version}", get(metadata))
        .route("/v2/models/{model}/ready", get(model_ready))
        .route("/v2/models/{model}/stats", get(stats))
        .route("/v2/models/{model}/versions/{version}/stats", get(stats))
        .route(
            "/v2/models/{model}/versions/{version}/ready",
            get(model_ready),
        )
        .route("/v2/models/{model}/infer", post(infer_decoded))
        .route(
            "/v2/models/{model}/versions/{version}/infer",
            post(infer_decoded),
        )
}

async fn server(extract::State(app): extract::State<Arc<App>>) -> Response {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let engine = app.models.engines().name();
    let body =
        json!({"name": name, "version": version, "engine": engine, "extensions": EXTENSIONS});
    http::json(StatusCode::OK, &body)
}

async fn live() -> Response {
    http::json(StatusCode::OK, &json!({"live": true}))
}

/// The body is the same in shape whatever the answer: clients parse it.
async fn ready(extract::State(app): extract::State<Arc<App>>) -> Response {
    let problem = app.ready().err();
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::status);
    http::json(status, &json!({"ready": problem.is_none()}))
}

async fn metadata(extract::State(app): extract::State<Arc<App>>, path: RawPathParams) -> Response {
    match of_path(&app, &path) {
        Ok(unit) => http::json(StatusCode::OK, unit.signature()),
        Err(error) => problem(&error),
    }
}

async fn model_ready(
    extract::State(app): extract::State<Arc<App>>,
    path: RawPathParams,
) -> Response {
    match of_path(&app, &path).and_then(|unit| app.ready().map(|_| unit)) {
        Ok(unit) => {
            let name = unit.name();
            http::json(StatusCode::OK, &json!({"name": name, "ready": true}))
        }
        Err(error) => problem(&error),
    }
}

/// In the shape of Triton's statistics extension, with figures of our own.
async fn stats(extract::State(app): extract::State<Arc<App>>, path: RawPathParams) -> Response {
    let unit = match of_path(&app, &path) {
        Ok(unit) => unit,
        Err(error) => return problem(&error),
    };
    let monitoring = unit.monitor().map(Monitor::figures);
    let (name, version) = (unit.name(), unit.version());
    let stats = json!({"name": name, "version": version, "monitoring": monitoring});
    http::json(StatusCode::OK, &json!({"model_stats": [stats]}))
}

/// The model of a call, and its version where the path names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named<'p> {
    model: &'p str,
    version: Option<&'p str>,
}

/// What a request of this `verb` to `path` names, if it is a call to a model whose
/// names stand in the path as they are.
pub(crate) fn called<'p>(verb: &Verb, path: &'p str) -> Option<Named<'p>> {
    let names = path.strip_prefix("/v2/models/")?.strip_suffix("/infer")?;
    let (model, version) = match names.split_once('/') {
        Some((model, rest)) => (model, Some(rest.strip_prefix("versions/")?)),
        None => (names, None),
    };
    let is_plain = |name: &str| !name.is_empty() && !name.contains(['/', '%']);
    let are_plain = is_plain(model) && version.is_none_or(is_plain);
    (verb == Verb::POST && are_plain).then_some(Named { model, version })
}

/// Answers a call to the model that its path names.
pub(crate) async fn infer(
    app: &Arc<App>,
    named: Named<'_>,
    request: Request<impl Readable>,
) -> Response {
    match inference(app, named, request).await {
        Ok(body) => respond(body),
        Err(error) => problem(&error),
    }
}

async fn infer_decoded(
    extract::State(app): extract::State<Arc<App>>,
    path: RawPathParams,
    request: Request,
) -> Response {
    infer(&app, named(&path), request).await
}

async fn inference(
    app: &Arc<App>,
    named: Named<'_>,
    request: Request<impl Readable>,
) -> Result<Body, Problem> {
    // The body comes first, so that a client whose model is not there can go on
    // using its connection.
    let (parts, body) = http::read(app, request).await?;
    let unit = app.models.find(named.model, named.version)?;
    let length = parts.headers.get(BINARY).map(|value| {
        let length = value.to_str().ok().and_then(|text| text.parse().ok());
        length.ok_or_else(|| {
            let text = format!("{BINARY} is {value:?}, expected the length of the JSON in bytes");
            Problem::BadData(text)
        })
    });
    let length = length.transpose()?;
    let size = body.len();
    app.compute(unit, size, move |unit| answer(unit, &body, length))
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
    pub(super) reason: String,
}

/// The models of the server; none before they are opened.
pub(super) fn index(app: &App, only_ready: bool) -> Vec<Indexed> {
    let Ok(catalog) = app.models.catalog() else {
        return Vec::new();
    };
    let of = |entry: &Entry| {
        let (state, reason) = match &entry.state {
            State::Ready(_) if app.is_draining() => {
                ("UNAVAILABLE", "the server is shutting down".to_owned())
            }
            State::Ready(_) => ("READY", entry.reason.clone()),
            _ => ("UNAVAILABLE", entry.reason.clone()),
        };
        Indexed {
            name: entry.name.clone(),
            version: entry.version.clone(),
            state,
            reason,
        }
    };
    let all = catalog.entries().iter().map(of);
    all.filter(|model| !only_ready || model.state == "READY")
        .collect()
}

async fn load(extract::State(app): extract::State<Arc<App>>, path: RawPathParams) -> Response {
    let name = parameter(&path, "model").unwrap_or_default().to_owned();
    done(app.change(move |models| models.load(&name)).await)
}

async fn unload(extract::State(app): extract::State<Arc<App>>, path: RawPathParams) -> Response {
    let name = parameter(&path, "model").unwrap_or_default().to_owned();
    done(app.change(move |models| models.unload(&name)).await)
}

/// Done, with nothing to say.
fn done(outcome: Result<(), Problem>) -> Response {
    match outcome {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => problem(&error),
    }
}

async fn repository(extract::State(app): extract::State<Arc<App>>, request: Request) -> Response {
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
fn of_path(app: &App, path: &RawPathParams) -> Result<Arc<Unit>, Problem> {
    let Named { model, version } = named(path);
    app.models.find(model, version)
}

fn named(path: &RawPathParams) -> Named<'_> {
    Named {
        model: parameter(path, "model").unwrap_or_default(),
        version: parameter(path, "version"),
    }
}

fn parameter<'a>(path: &'a RawPathParams, key: &str) -> Option<&'a str> {
    let mut parameters = path.iter();
    parameters.find_map(|(name, value)| (name == key).then_some(value))
}

/// The protocol's shape of an error.
pub(crate) fn problem(problem: &Problem) -> Response {
    let body = json!({"error": problem.to_string()});
    http::advise(problem, http::json(problem.status(), &body))
}
