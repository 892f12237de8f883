//! What happens around every request: a look at it before, and at its answer after.
//!
//! No layers of axum: each puts a request and its answer into boxes of its own, which
//! together cost a small request more than its prediction.

use std::time::Instant;

use axum::body::HttpBody;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};

use super::call;
use super::encoding::{Encoding, SHORT};
use super::take_apart;
use super::tell::Told;
use crate::app::App;
use crate::metrics::Labels;
use crate::seldon::PUID;

/// What is kept of a request until its answer is there.
pub(super) struct Around {
    start: Instant,
    labels: Labels,
    service: Option<&'static str>,
    verb: &'static str,
    asks_for_options: bool,
    origin: Option<HeaderValue>,
    encoding: Option<Encoding>,
    /// The ID of a call to a model over V2, which goes back with its answer.
    puid: Option<HeaderValue>,
    told: Option<Told>,
}

impl Around {
    /// Looks at a request that has just come.
    pub(super) fn begin<B>(app: &App, request: &mut Request<B>) -> Self {
        let start = Instant::now();
        let path = request.uri().path();
        let labels = call::labels(path);
        let (is_v2, puid) = match labels {
            ["v2", "predict"] => (true, request.headers().get(PUID).cloned()),
            _ => (false, None),
        };
        let service = call::service(path);
        let told = match app.events {
            Some(_) => Told::begin(request, labels, service.is_some()),
            None => None,
        };
        // A call over V2 with an ID is the orchestrator's, which gives one to each and
        // counts them itself.
        let is_uncounted = is_v2 && puid.is_none();
        Self {
            start,
            labels,
            service: service.or(is_uncounted.then_some("predictions")),
            verb: call::verb(request.method()),
            asks_for_options: request.method() == Method::OPTIONS,
            origin: request.headers().get(ORIGIN).cloned(),
            encoding: Encoding::wanted(request.headers()),
            puid,
            told,
        }
    }

    /// Makes of the handler's answer what goes to the client, and counts it.
    pub(super) async fn end(mut self, app: &App, mut response: Response) -> Response {
        if let Some(puid) = self.puid.take() {
            response.headers_mut().insert(PUID, puid);
        }
        if let (Some(told), Some(events)) = (self.told.take(), &app.events) {
            response = told.tell(events, response).await;
        }
        if let Some(encoding) = self.encoding
            && response.body().size_hint().exact() >= Some(SHORT)
        {
            response = compress(app, encoding, response).await;
        }
        if self.asks_for_options && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response = options(response.headers().get(ALLOW).cloned());
        }
        self.allow_origin(&mut response);
        self.count(app, &mut response);
        response
    }

    /// Lets pages of any origin call the server, as the Python wrapper does.
    fn allow_origin(&mut self, response: &mut Response) {
        let origin = self.origin.take();
        let headers = response.headers_mut();
        if origin.is_some() {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let origin = origin.unwrap_or(HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }

    /// Counts the request, and asks its client to leave when the server drains.
    fn count(&self, app: &App, response: &mut Response) {
        let (code, time) = (response.status(), self.start.elapsed());
        let code = code.as_str();
        app.metrics.answered(self.labels, code, time);
        if let Some(service) = self.service {
            app.metrics.served([service, self.verb], code, time);
        }
        if app.is_draining() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
    }
}

/// Packs an answer on a compute thread.
async fn compress(app: &App, encoding: Encoding, response: Response) -> Response {
    let (mut parts, plain) = match take_apart(response).await {
        Ok(taken) => taken,
        Err(status) => return status.into_response(),
    };
    let body = plain.clone();
    match app.aside(move || encoding.encode(&plain)).await {
        Ok(Ok(packed)) => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.insert(CONTENT_ENCODING, encoding.into());
            let vary = HeaderValue::from_static("Accept-Encoding");
            parts.headers.append(VARY, vary);
            Response::from_parts(parts, packed.into())
        }
        // Too much to do: the client gets it as it is.
        _ => Response::from_parts(parts, body.into()),
    }
}

/// The answer to OPTIONS at a path that has other methods.
fn options(allow: Option<HeaderValue>) -> Response {
    let methods = allow.unwrap_or(HeaderValue::from_static("GET,HEAD"));
    let headers = [
        (ALLOW, methods.clone()),
        (ACCESS_CONTROL_ALLOW_METHODS, methods),
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*")),
    ];
    headers.into_response()
}
