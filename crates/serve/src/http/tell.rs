//! Tells the event sink of exchanges with clients.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::{call, take_apart};
use crate::events::{Events, Exchange, Payload, is_skipped};
use crate::seldon::{PUID, new_puid};

/// A copy of the body that a handler has read.
#[derive(Debug, Clone, Default)]
pub(super) struct Copy(Arc<OnceLock<Bytes>>);

impl Copy {
    /// Takes the body, unpacked.
    pub(super) fn keep(&self, body: &Bytes) {
        self.0.get_or_init(|| body.clone());
    }
}

/// Lets requests of clients to models, and their answers, be told. What comes from
/// Seldon's orchestrator is told by the orchestrator.
pub(super) async fn tell(
    events: &Events,
    mut request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let path = request.uri().path();
    let (protocol, method) = call::labels(path);
    let from_client = call::service(path).is_some() || (protocol, method) == ("v2", "predict");
    if !from_client || is_skipped(request.headers()) {
        return next(request).await;
    }
    let copy = Copy::default();
    request.extensions_mut().insert(copy.clone());
    let asked = content_type(request.headers());
    let id = request.headers().get(PUID).cloned();
    let response = next(request).await;
    let Some(body) = copy.0.get().cloned() else {
        return response;
    };
    let (parts, answer) = match take_apart(response).await {
        Ok(taken) => taken,
        Err(status) => return status.into_response(),
    };
    let id = parts.headers.get(PUID).cloned().or(id);
    events.exchanged(Exchange {
        id: id.unwrap_or_else(new_puid),
        protocol,
        is_feedback: method == "feedback",
        request: Payload {
            content_type: asked,
            bytes: body,
        },
        response: parts.status.is_success().then(|| Payload {
            content_type: content_type(&parts.headers),
            bytes: answer.clone(),
        }),
    });
    Response::from_parts(parts, answer.into())
}

fn content_type(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(CONTENT_TYPE).cloned();
    given.unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
