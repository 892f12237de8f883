//! Tells the event sink of exchanges with clients.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Request};
use axum::response::{IntoResponse, Response};

use super::take_apart;
use crate::events::{Events, Exchange, Payload, is_skipped};
use crate::metrics::Labels;
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

/// A request whose exchange is told.
pub(super) struct Told {
    copy: Copy,
    content_type: HeaderValue,
    protocol: &'static str,
    is_feedback: bool,
}

impl Told {
    /// Has a copy kept of the body of a client's request to a model, which has these
    /// labels in the metrics and is for the `orchestrator` or not. What comes from
    /// Seldon's own is told by it.
    pub(super) fn begin<B>(
        request: &mut Request<B>,
        labels: Labels,
        orchestrator: bool,
    ) -> Option<Self> {
        let from_client = orchestrator || labels == ["v2", "predict"];
        if !from_client || is_skipped(request.headers()) {
            return None;
        }
        let [protocol, method] = labels;
        let copy = Copy::default();
        request.extensions_mut().insert(copy.clone());
        Some(Self {
            copy,
            content_type: content_type(request.headers()),
            protocol,
            is_feedback: method == "feedback",
        })
    }

    /// Tells `events` of the request and its `response`, which is given back with the ID
    /// by which they name it.
    pub(super) async fn tell(self, events: &Events, response: Response) -> Response {
        let Some(body) = self.copy.0.get().cloned() else {
            return response;
        };
        let (mut parts, answer) = match take_apart(response).await {
            Ok(taken) => taken,
            Err(status) => return status.into_response(),
        };
        let id = parts.headers.entry(PUID).or_insert_with(new_puid).clone();
        events.exchanged(Exchange {
            id,
            protocol: self.protocol,
            is_feedback: self.is_feedback,
            request: Payload {
                content_type: self.content_type,
                bytes: body,
            },
            response: parts.status.is_success().then(|| Payload {
                content_type: content_type(&parts.headers),
                bytes: answer.clone(),
            }),
        });
        Response::from_parts(parts, answer.into())
    }
}

fn content_type(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(CONTENT_TYPE).cloned();
    given.unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
