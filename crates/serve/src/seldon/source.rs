//! Where in an HTTP request the message stands.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use multer::Multipart;
use serde::Deserialize;
use serde_json::Value;

use super::message::{Binary, Message};
use crate::json::{self, Object, Together};
use crate::problem::Problem;

/// A message that has been received and not yet read.
#[derive(Debug)]
pub(super) enum Source {
    /// The whole message as JSON.
    Json(Bytes),
    /// Its keys one by one.
    Fields(Vec<Field>),
}

impl Source {
    /// Its size in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(bytes) => bytes.len(),
            Self::Fields(fields) => fields.iter().map(|field| field.value.len()).sum(),
        }
    }
}

/// One key of a message.
#[derive(Debug)]
pub(super) struct Field {
    name: String,
    is_file: bool,
    value: Bytes,
}

/// Finds the message: the fields of a multipart form, the form field `json`, the
/// query parameter `json`, or the body, in this order.
pub(super) async fn find(parts: &Parts, body: Bytes) -> Result<Source, Problem> {
    let content_type = parts.headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    // Nearly all messages come so.
    if content_type == Some("application/json") && parts.uri.query().is_none() {
        return Ok(Source::Json(body));
    }
    let essence = content_type.and_then(|value| value.split(';').next());
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "multipart/form-data" {
        return fields(content_type.unwrap_or_default(), body).await;
    }
    let is_form = essence == "application/x-www-form-urlencoded";
    if is_form && let Some(message) = field(&body) {
        return Ok(Source::Json(message));
    }
    if let Some(message) = parts.uri.query().and_then(|query| field(query.as_bytes())) {
        return Ok(Source::Json(message));
    }
    match essence.as_str() {
        "application/json" => Ok(Source::Json(body)),
        other if other.starts_with("application/") && other.ends_with("+json") => {
            Ok(Source::Json(body))
        }
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

fn field(encoded: &[u8]) -> Option<Bytes> {
    let found = form_urlencoded::parse(encoded).find(|(name, _)| name == "json");
    found.map(|(_, value)| Cow::into_owned(value).into())
}

async fn fields(content_type: &str, body: Bytes) -> Result<Source, Problem> {
    let bad = |error: multer::Error| Problem::BadData(format!("the multipart form: {error}"));
    let boundary = multer::parse_boundary(content_type).map_err(bad)?;
    let stream = tokio_stream::once(Ok::<_, Infallible>(body));
    let mut form = Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(bad)? {
        fields.push(Field {
            name: field.name().unwrap_or_default().to_owned(),
            is_file: field.file_name().is_some(),
            value: field.bytes().await.map_err(bad)?,
        });
    }
    Ok(Source::Fields(fields))
}

impl Source {
    /// The one message.
    ///
    /// # Errors
    ///
    /// When it is not JSON, or not a message.
    pub(super) fn message(&self) -> Result<Message<'_>, Problem> {
        match self {
            Self::Json(text) => json::parse(text),
            Self::Fields(fields) => message(fields),
        }
    }

    /// The messages of an aggregate: a list, or an object that has it.
    ///
    /// # Errors
    ///
    /// When they are not JSON, or not messages.
    pub(super) fn messages(&self) -> Result<Vec<Message<'_>>, Problem> {
        #[derive(Deserialize)]
        struct List<'a> {
            #[serde(rename = "seldonMessages", borrow, default)]
            messages: Option<Together<Object<Message<'a>>>>,
        }
        let missing = || {
            let text = "expected a list of messages, or an object with the list seldonMessages";
            Problem::BadData(text.to_owned())
        };
        let list: Together<Object<Message<'_>>> = match self {
            Self::Json(text) if text.trim_ascii_start().starts_with(b"[") => {
                json::parse_list(text)?
            }
            Self::Json(text) => {
                let list: List<'_> = json::parse(text)?;
                list.messages.ok_or_else(missing)?
            }
            Self::Fields(fields) => {
                check(fields)?;
                let found = fields.iter().find(|field| field.name == "seldonMessages");
                found.ok_or_else(missing)?.json()?
            }
        };
        Ok(list.0.into_iter().map(|message| message.0).collect())
    }

    /// The message as any JSON; a file in it is a text.
    ///
    /// # Errors
    ///
    /// When it is not JSON.
    pub(super) fn value(&self) -> Result<Value, Problem> {
        let fields = match self {
            Self::Json(text) => return json::parse(text),
            Self::Fields(fields) => fields,
        };
        check(fields)?;
        let value = |field: &Field| match field.is_file {
            true => Ok(Value::String(field.text()?.to_owned())),
            false => field.json(),
        };
        let values = fields
            .iter()
            .map(|field| Ok((field.name.clone(), value(field)?)));
        values.collect::<Result<_, Problem>>().map(Value::Object)
    }
}

/// Refuses fields that have too many objects together.
fn check(fields: &[Field]) -> Result<(), Problem> {
    let json = fields.iter().filter(|field| !field.is_file);
    json::objects::check(json.map(|field| &field.value[..]))
}

fn message(fields: &[Field]) -> Result<Message<'_>, Problem> {
    check(fields)?;
    let mut message = Message::default();
    for field in fields {
        match field.name.as_str() {
            "binData" if field.is_file => {
                message.bin_data = Some(Binary(field.value.to_vec()));
            }
            "strData" => message.str_data = Some(field.text()?.into()),
            "jsonData" if field.is_file => {
                message.json_data = Some(Value::String(field.text()?.to_owned()));
            }
            "binData" => message.bin_data = Some(field.json()?),
            "jsonData" => message.json_data = Some(field.json()?),
            "data" => message.data = Some(field.json()?),
            "meta" => message.meta = Some(field.json()?),
            _ => {}
        }
    }
    Ok(message)
}

impl Field {
    fn text(&self) -> Result<&str, Problem> {
        let text = std::str::from_utf8(&self.value);
        text.map_err(|error| Problem::BadData(format!("the field {:?}: {error}", self.name)))
    }

    fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        let value = serde_json::from_slice(&self.value);
        value.map_err(|error| {
            json::problem(&error, |error| {
                format!("the field {:?}: {error}", self.name)
            })
        })
    }
}
