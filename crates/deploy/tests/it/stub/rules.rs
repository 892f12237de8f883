//! Faults: what a test wants to go wrong, and how often.

use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use serde_json::json;

use super::Call;

/// What a request that meets a fault gets.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A status with a message, in the form of the API that was called.
    Status(u16, &'static str),
    /// The connection breaks off within the answer; nothing was done.
    Break,
    /// The same, but what was asked for was done.
    Lost,
}

/// Which requests go wrong, and how.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) method: Method,
    /// A part of the path and query.
    pub(crate) path: &'static str,
    /// Requests that pass before the first that meets the fault.
    pub(crate) skip: u32,
    /// Requests that meet it.
    pub(crate) times: u32,
    pub(crate) answer: Answer,
}

/// All faults of a stub.
#[derive(Debug, Default)]
pub(crate) struct Rules(pub(crate) Vec<Rule>);

impl Rules {
    /// The answer of the first rule that takes the request.
    pub(crate) fn take(&mut self, call: &Call) -> Option<Answer> {
        let target = format!("{}?{}", call.path, call.query);
        let fits = |rule: &&mut Rule| {
            rule.times > 0 && rule.method == call.method && target.contains(rule.path)
        };
        for rule in self.0.iter_mut().filter(|rule| fits(rule)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return Some(rule.answer.clone());
        }
        None
    }
}

pub(crate) fn respond(answer: &Answer, call: &Call) -> Response<Body> {
    match answer {
        Answer::Status(code, message) if call.path.starts_with("/api") => {
            super::json(*code, &super::kubernetes::status(*code, message))
        }
        Answer::Status(code, message) => {
            let body = json!({"code": code, "message": message, "requestId": "stub-request-1"});
            super::json(*code, &body)
        }
        Answer::Break | Answer::Lost => broken(),
    }
}

fn broken() -> Response<Body> {
    let broken =
        futures::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("broken")) });
    Response::builder()
        .header("content-type", "application/json")
        .header("content-length", "1000")
        .body(Body::from_stream(broken))
        .unwrap()
}
