//! The span around a call.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Request, Response};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};

use super::{CURRENT, Tracing, context};
use crate::seldon::PUID;

/// Has `next` answer a request; where there is a collector, with a span of a call to a
/// model, below that of the caller.
pub(crate) async fn traced<A, B>(
    tracing: Option<&Tracing>,
    request: Request<A>,
    next: impl AsyncFnOnce(Request<A>) -> Response<B>,
) -> Response<B> {
    let called = tracing.and_then(|tracing| Some((tracing, Call::of(&request)?)));
    let Some((tracing, call)) = called else {
        return next(request).await;
    };
    let caller = context::of(request.headers());
    let span = tracing
        .tracer
        .span_builder(call.name)
        .with_kind(SpanKind::Server);
    let span = span.with_attributes(call.about);
    let span = tracing.tracer.build_with_context(span, &caller);
    let here = Context::new().with_span(span);
    let answer = CURRENT.scope((tracing.clone(), here.clone()), next(request));
    let response = answer.await;
    let span = here.span();
    if let Some(id) = response.headers().get(PUID).and_then(|id| id.to_str().ok()) {
        span.set_attribute(KeyValue::new("seldon.puid", id.to_owned()));
    }
    let code = match call.is_grpc {
        true => grpc_code(response.headers()),
        false => response.status().as_u16().into(),
    };
    let (name, failed) = match call.is_grpc {
        // UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
        true => (
            "rpc.grpc.status_code",
            [2, 4, 12, 13, 14, 15].contains(&code),
        ),
        false => ("http.response.status_code", code >= 500),
    };
    span.set_attribute(KeyValue::new(name, code));
    if failed {
        span.set_status(Status::error(""));
    }
    span.end();
    response
}

/// A call that gets a span, by the names of OpenTelemetry's semantic conventions.
struct Call {
    name: String,
    is_grpc: bool,
    about: Vec<KeyValue>,
}

impl Call {
    /// `None` for what is no call to a model.
    fn of<A>(request: &Request<A>) -> Option<Self> {
        let path = request.uri().path();
        let text = |key: &'static str, value: &str| KeyValue::new(key, value.to_owned());
        if is_grpc(request.headers()) {
            let name = path.trim_start_matches('/');
            let (service, method) = name.split_once('/')?;
            let is_call = match service {
                "inference.GRPCInferenceService" => method == "ModelInfer",
                _ => service.starts_with("seldon.protos.") && !method.contains("Metadata"),
            };
            let about = vec![
                text("rpc.system", "grpc"),
                text("rpc.service", service),
                text("rpc.method", method),
            ];
            return is_call.then(|| Self {
                name: name.to_owned(),
                is_grpc: true,
                about,
            });
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        let is_call = match path.strip_prefix("/v2/models/") {
            Some(_) => last == "infer",
            None => SELDON.contains(&path),
        };
        let about = vec![
            text("http.request.method", request.method().as_str()),
            text("url.path", path),
        ];
        is_call.then(|| Self {
            name: format!("{} {path}", request.method()),
            is_grpc: false,
            about,
        })
    }
}

/// The paths of the Seldon protocol that are calls to a model.
const SELDON: [&str; 10] = [
    "/predict",
    "/api/v1.0/predictions",
    "/api/v0.1/predictions",
    "/transform-input",
    "/transform-output",
    "/route",
    "/aggregate",
    "/send-feedback",
    "/api/v1.0/feedback",
    "/api/v0.1/feedback",
];

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The status of a call that failed stands in the head.
fn grpc_code(headers: &HeaderMap) -> i64 {
    let status = headers.get("grpc-status");
    let code = status.and_then(|code| code.to_str().ok()?.parse().ok());
    code.unwrap_or(0)
}
