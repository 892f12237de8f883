//! A small HTTP client.

use std::time::Duration;

use ureq::http::{HeaderMap, Request, Response};
use ureq::{Agent, Body};

/// Keeps its connections open between requests.
#[derive(Clone)]
pub(crate) struct Client(Agent);

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::patient(Duration::from_secs(20))
    }

    /// One that waits `longest` for an answer.
    pub(crate) fn patient(longest: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(longest));
        Self(config.build().into())
    }

    pub(crate) fn get(&self, url: &str) -> Reply {
        self.send("GET", url, &[], "")
    }

    pub(crate) fn post(&self, url: &str, content_type: &str, body: &str) -> Reply {
        self.send("POST", url, &[("Content-Type", content_type)], body)
    }

    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.send_bytes(method, url, headers, body.as_bytes())
    }

    pub(crate) fn send_bytes(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() && method != "POST" {
            self.0.run(request.body(()).unwrap())
        } else {
            self.0.run(request.body(body).unwrap())
        };
        Reply::from(answer.unwrap_or_else(|error| panic!("{method} {url}: {error}")))
    }
}

impl From<Response<Body>> for Reply {
    fn from(answer: Response<Body>) -> Self {
        let (parts, mut body) = answer.into_parts();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.read_to_string().unwrap(),
        }
    }
}

impl Reply {
    /// A header as text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
