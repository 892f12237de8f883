//! Tells the event sink of calls of clients, and counts them as Seldon's orchestrator does.

use std::time::Instant;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue};
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

use crate::app::App;
use crate::events::{self, Events, Exchange, Payload};
use crate::problem::Problem;
use crate::seldon::{PUID, new_puid};

/// The body of an event.
type Body = Result<Vec<u8>, Problem>;

/// A call that the sink is to be told of.
#[derive(Debug)]
pub(crate) struct Call {
    events: Events,
    id: HeaderValue,
}

impl Call {
    /// The call with this metadata; `None` where nobody is to be told.
    pub(crate) fn of(events: Option<&Events>, metadata: &MetadataMap) -> Option<Self> {
        let events = events?.clone();
        let headers: HeaderMap = metadata.clone().into_headers();
        if events::is_skipped(&headers) {
            return None;
        }
        let id = headers.get(PUID).cloned().unwrap_or_else(new_puid);
        Some(Self { events, id })
    }

    /// Tells what was asked and answered, of `size` bytes together; `bodies` gives both
    /// as JSON, without an answer where that was an error.
    pub(crate) fn tell(
        self,
        protocol: &'static str,
        is_feedback: bool,
        size: usize,
        bodies: impl FnOnce() -> (Body, Option<Body>) + Send + 'static,
    ) {
        let Self { events, id } = self;
        events.called(size, move || {
            let (request, response) = bodies();
            Some(Exchange {
                id,
                protocol,
                is_feedback,
                request: payload(request)?,
                response: response
                    .map(payload)
                    .map_or(Some(None), |body| body.map(Some))?,
            })
        });
    }
}

/// Counts a call of a client without an orchestrator between.
pub(crate) fn served<T>(
    app: &App,
    service: &'static str,
    start: Instant,
    reply: &Result<Response<T>, Status>,
) {
    // In the words of Go, as the orchestrator writes them.
    let code = match reply {
        Ok(_) => "OK".to_owned(),
        Err(status) => format!("{:?}", status.code()),
    };
    app.metrics
        .served([service, "unary"], &code, start.elapsed());
}

fn payload(body: Body) -> Option<Payload> {
    Some(Payload {
        content_type: HeaderValue::from_static("application/json"),
        bytes: Bytes::from(body.ok()?),
    })
}
