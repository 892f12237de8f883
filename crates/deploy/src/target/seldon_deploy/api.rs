//! Calls of the REST API, and what its answers mean.

use reqwest::header::ACCEPT;
use reqwest::{Client, Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::token::{Credentials, Tokens};
use crate::json::text;
use crate::target::TargetError;

/// Where the API lies below the platform's address.
const BASE: &str = "/seldon-deploy/api/v1alpha1";

/// The API of one platform.
#[derive(Debug)]
pub(super) struct Api {
    http: Client,
    tokens: Tokens,
}

impl Api {
    pub(super) fn new(http: Client, credentials: Credentials) -> Self {
        Self {
            tokens: Tokens::new(http.clone(), credentials),
            http,
        }
    }

    /// The platform's address.
    pub(super) fn base(&self) -> &str {
        self.tokens.url()
    }

    /// Makes one call, with a new token once if the old one is not accepted.
    pub(super) async fn call(
        &self,
        action: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, TargetError> {
        let token = self.tokens.bearer().await?;
        let reply = self.send(action, &method, path, body, &token).await?;
        let reply = match reply.status() {
            StatusCode::UNAUTHORIZED => {
                let token = self.tokens.renew().await?;
                self.send(action, &method, path, body, &token).await?
            }
            _ => reply,
        };
        read(action, reply).await
    }

    async fn send(
        &self,
        action: &str,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        token: &SecretString,
    ) -> Result<Response, TargetError> {
        let url = format!("{}{BASE}{path}", self.base());
        let mut request = self
            .http
            .request(method.clone(), url)
            .header(ACCEPT, "application/json")
            .bearer_auth(token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        request
            .send()
            .await
            .map_err(|error| TargetError::Transient {
                action: action.to_owned(),
                reason: reason(&error),
            })
    }
}

async fn read(action: &str, reply: Response) -> Result<Value, TargetError> {
    let status = reply.status();
    let body = reply.bytes().await;
    let body = body.map_err(|error| TargetError::Transient {
        action: action.to_owned(),
        reason: reason(&error),
    })?;
    let document = serde_json::from_slice(&body);
    if status.is_success() {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        return document.map_err(|_| TargetError::Transient {
            action: action.to_owned(),
            reason: "the answer is not JSON: is this the address of Seldon Deploy?".to_owned(),
        });
    }
    Err(understand(action, status, &document.unwrap_or_default()))
}

/// Sorts an error answer `{"code", "message", "requestId"}` by what can be done
/// about it. What is missing is answered by 404, or by 400 or 500 with a message
/// that says so.
fn understand(action: &str, status: StatusCode, body: &Value) -> TargetError {
    let action = action.to_owned();
    let message = text(body, "/message");
    let mut reason = match message {
        "" => status.to_string(),
        message => format!("{}: {message}", status.as_u16()),
    };
    let request = text(body, "/requestId");
    if !request.is_empty() {
        reason.push_str(&format!(" (request id {request})"));
    }
    let lower = message.to_lowercase();
    match status.as_u16() {
        404 => TargetError::Gone(action),
        400 | 500 if lower.contains("not found") => TargetError::Gone(action),
        401 => TargetError::Credentials { action, reason },
        409 => TargetError::Conflict { action, reason },
        // The Kubernetes API's words for a stale resourceVersion, passed on.
        400 | 500 if lower.contains("object has been modified") => {
            TargetError::Conflict { action, reason }
        }
        408 | 424 | 429 | 500.. => TargetError::Transient { action, reason },
        _ => TargetError::Refused { action, reason },
    }
}

/// Why there was no answer: the last cause says it. The address is left out, as
/// it could hold a password.
pub(super) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let cause = cause.to_string();
    match cause.contains("UnknownIssuer") {
        true => format!(
            "{cause}; if your own authority has signed it, give that one's certificate \
             with --ca-file"
        ),
        false => cause,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_sorted_by_what_can_be_done() {
        let kind = |code: u16, message: &str| {
            let body = json!({"code": code, "message": message, "requestId": "r-1"});
            understand("read it", StatusCode::from_u16(code).unwrap(), &body)
        };
        assert!(matches!(kind(404, ""), TargetError::Gone(_)));
        assert!(matches!(
            kind(500, "detector Not Found"),
            TargetError::Gone(_)
        ));
        assert!(matches!(kind(400, "bad name"), TargetError::Refused { .. }));
        assert!(matches!(kind(409, "stale"), TargetError::Conflict { .. }));
        assert!(kind(500, "webhook").is_transient());
        assert!(kind(424, "git").is_transient());
        assert_eq!(
            kind(403, "no").to_string(),
            "cannot read it: 403: no (request id r-1)"
        );
    }
}
