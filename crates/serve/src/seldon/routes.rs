//! The paths of the Seldon v1 protocol.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method as Verb, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use uuid::Uuid;

use super::call::{self, Method, Responded, respond};
use super::reply::Node;
use super::source::Source;
use super::{feedback, reply, source};
use crate::app::App;
use crate::http::{self, Readable};
use crate::models::Unit;
use crate::problem::Problem;

/// The request's ID, given by the orchestrator or made here.
pub(crate) const PUID: HeaderName = HeaderName::from_static("seldon-puid");

/// The wrapper's own document, with `ndarray` spelt right, `jsonData` and the
/// tags of metrics.
const OPENAPI: &str = include_str!("../../openapi/seldon.json");

/// The paths of messages, and whether GET will do as well as POST.
const CALLS: [(&str, bool, Method); 7] = [
    ("/predict", true, Method::Predict),
    ("/api/v1.0/predictions", false, Method::Predict),
    ("/api/v0.1/predictions", false, Method::Predict),
    ("/transform-input", true, Method::TransformInput),
    ("/transform-output", true, Method::TransformOutput),
    ("/route", true, Method::Route),
    ("/aggregate", true, Method::Aggregate),
];

/// The protocol's paths. They stand at the root: the ingress strips its prefix.
/// Those below `/api` and `/ready` are what the orchestrator offers to clients.
pub(crate) fn router() -> Router<Arc<App>> {
    let from_clients = post(send_feedback);
    let calls = CALLS.into_iter().fold(Router::new(), |router, call| {
        let (path, by_get, method) = call;
        let handler =
            async move |State(app): State<Arc<App>>, request| message(&app, request, method).await;
        let routes = match by_get {
            true => get(handler).post(handler),
            false => post(handler),
        };
        router.route(path, routes)
    });
    calls
        .route("/send-feedback", get(send_feedback).post(send_feedback))
        .route("/api/v1.0/feedback", from_clients.clone())
        .route("/api/v0.1/feedback", from_clients)
        .route("/health/ping", get(async || Html("pong")))
        .route("/health/status", get(status))
        .route("/api/v1.0/health/status", get(status))
        .route("/api/v1.0/status/{node}", get(node_status))
        .route("/metadata", get(metadata))
        .route("/api/v1.0/metadata", get(metadata))
        .route("/api/v1.0/metadata/{node}", get(node_metadata))
        .route("/seldon.json", get(openapi))
        .route("/ready", get(ready))
        .route("/live", get(async || StatusCode::OK))
}

/// What a request of this `verb` to `path` asks for, if it is a message.
pub(crate) fn called(verb: &Verb, path: &str) -> Option<Method> {
    let (_, by_get, call) = CALLS.into_iter().find(|(known, ..)| *known == path)?;
    let is_known = verb == Verb::POST || (by_get && verb == Verb::GET);
    is_known.then_some(call)
}

/// Answers a request with a message.
pub(crate) async fn message(
    app: &Arc<App>,
    request: Request<impl Readable>,
    method: Method,
) -> Response {
    let puid = puid(request.headers());
    finish(puid, answer(app, request, method).await)
}

async fn answer(
    app: &Arc<App>,
    request: Request<impl Readable>,
    method: Method,
) -> Result<Vec<u8>, Problem> {
    let (parts, body) = http::read(app, request).await?;
    let source = source::find(&parts, body).await?;
    let node = Arc::clone(&app.node);
    let (body, metrics) = app
        .compute(app.unit()?, source.len(), move |unit| {
            read(unit, node, method, &source)
        })
        .await?;
    app.metrics.returned(method.label(), &metrics);
    Ok(body)
}

/// Has `unit` answer what `source` says.
pub(super) fn read(
    unit: &Unit,
    node: Arc<Node>,
    method: Method,
    source: &Source,
) -> Responded<Vec<u8>> {
    call::check(unit, method)?;
    let messages = match method {
        Method::Aggregate => source.messages()?,
        _ => vec![source.message()?],
    };
    respond(unit, node, method, messages, |reply| reply.json())
}

async fn send_feedback(State(app): State<Arc<App>>, request: Request) -> Response {
    let puid = puid(request.headers());
    finish(puid, feedback_reply(&app, request).await)
}

async fn feedback_reply(app: &Arc<App>, request: Request) -> Result<Vec<u8>, Problem> {
    let (parts, body) = http::read(app, request).await?;
    app.unit()?;
    let feedback = feedback::read(&source::find(&parts, body).await?)?;
    feedback::write(&feedback::receive(app, feedback)?)
}

fn finish(puid: HeaderValue, outcome: Result<Vec<u8>, Problem>) -> Response {
    let mut response = match outcome {
        Ok(body) => http::json_bytes(body),
        Err(error) => problem(&error),
    };
    response.headers_mut().insert(PUID, puid);
    response
}

fn puid(headers: &HeaderMap) -> HeaderValue {
    headers.get(PUID).cloned().unwrap_or_else(new_puid)
}

/// An ID for a request that came without one.
pub(crate) fn new_puid() -> HeaderValue {
    let (id, mut text) = (Uuid::new_v4().simple(), Uuid::encode_buffer());
    let id = HeaderValue::from_str(id.encode_lower(&mut text));
    id.unwrap_or(HeaderValue::from_static(""))
}

async fn status(State(app): State<Arc<App>>) -> Response {
    match app.serving() {
        Ok(()) => http::json(StatusCode::OK, &reply::healthy(&app.node)),
        Err(error) => problem(&error),
    }
}

async fn node_status(State(app): State<Arc<App>>, Path(node): Path<String>) -> Response {
    match find(&app, &node) {
        Ok(_) => status(State(app)).await,
        Err(error) => problem(&error),
    }
}

async fn metadata(State(app): State<Arc<App>>) -> Response {
    match app.unit() {
        Ok(unit) => http::json(StatusCode::OK, unit.metadata()),
        Err(error) => problem(&error),
    }
}

async fn node_metadata(State(app): State<Arc<App>>, Path(node): Path<String>) -> Response {
    match find(&app, &node) {
        Ok(unit) => http::json(StatusCode::OK, unit.metadata()),
        Err(error) => problem(&error),
    }
}

/// The node of the graph, of which this server is the only one.
fn find(app: &App, node: &str) -> Result<Arc<Unit>, Problem> {
    let unit = app.unit()?;
    let names = [app.node.id.as_deref(), Some(unit.metadata().name())];
    if names.contains(&Some(node)) {
        return Ok(unit);
    }
    let known = names.iter().flatten();
    let known: Vec<String> = known.map(|name| format!("{name:?}")).collect();
    Err(Problem::NotFound(format!(
        "there is no node {node:?}, this server is {}",
        known.join(" or ")
    )))
}

async fn openapi() -> Response {
    http::json_bytes(OPENAPI.as_bytes().to_vec())
}

async fn ready(State(app): State<Arc<App>>) -> StatusCode {
    match app.serving() {
        Ok(()) => StatusCode::OK,
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
    http::advise(problem, http::json(problem.status(), &body)).into_response()
}
