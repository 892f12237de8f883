//! Where in an HTTP request the message stands.

use std::borrow::Cow;

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;

use crate::problem::Problem;

/// The message's JSON: the form field `json`, the query parameter `json`, or the
/// body, in this order.
pub(super) fn message(parts: &Parts, body: &[u8]) -> Result<Option<Vec<u8>>, Problem> {
    let content_type = parts.headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    let is_form = essence == "application/x-www-form-urlencoded";
    if is_form && let Some(message) = field(body) {
        return Ok(Some(message));
    }
    if let Some(message) = parts.uri.query().and_then(|query| field(query.as_bytes())) {
        return Ok(Some(message));
    }
    match essence.as_str() {
        "application/json" => Ok(None),
        other if other.starts_with("application/") && other.ends_with("+json") => Ok(None),
        _ if is_form => Err(Problem::BadData(
            "the form has no field \"json\"; to send JSON as the body, \
             set the header Content-Type: application/json"
                .to_owned(),
        )),
        "" if body.is_empty() => Err(Problem::BadData(
            "the request has no message, send it as the body or as the parameter \"json\""
                .to_owned(),
        )),
        _ => Err(Problem::MediaType(format!(
            "the content type {essence:?} is not read, \
             set the header Content-Type: application/json"
        ))),
    }
}

fn field(encoded: &[u8]) -> Option<Vec<u8>> {
    let found = form_urlencoded::parse(encoded).find(|(name, _)| name == "json");
    found.map(|(_, value)| Cow::into_owned(value).into_bytes())
}
