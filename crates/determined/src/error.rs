//! What can go wrong, by what a caller would do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use serde::Deserialize;

/// Why a call failed. The master's own words are kept as they came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting or a name cannot be used; nothing was sent.
    #[error("the {what} {value:?} cannot be used: {reason}")]
    Setting {
        /// What it is, in words.
        what: &'static str,
        /// The value, unless it is secret.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A local file or directory cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried, in words.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No connection, or it broke: nothing on the master has changed.
    #[error("{request}: no connection to the master")]
    Unreachable {
        /// Method and path.
        request: String,
        /// What the network says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A request that changes something was sent and the answer is lost. It may
    /// have taken effect: look before doing it again.
    #[error("{request}: no answer, so it may or may not have taken effect: {reason}")]
    Uncertain {
        /// Method and path.
        request: String,
        /// What came instead of an answer.
        reason: String,
    },
    /// 401: user, password or token refused, after logging in anew where possible.
    #[error("{0} (check user and password, or the token)")]
    Unauthenticated(Answer),
    /// 403: the user may not do this.
    #[error("{0}")]
    Forbidden(Answer),
    /// 404: it does not exist, or is hidden from this user.
    #[error("{0}")]
    NotFound(Answer),
    /// 409: the name is taken.
    #[error("{0}")]
    AlreadyExists(Answer),
    /// 502, 503, 504: the master or a proxy before it is restarting.
    #[error("{0}")]
    Unavailable(Answer),
    /// Any other refusal: an invalid experiment configuration, an archived model.
    #[error("{0}")]
    Refused(Answer),
    /// The answer is not what this version of the API says.
    #[error("{request}: the answer cannot be understood: {reason}")]
    Unexpected {
        /// Method and path.
        request: String,
        /// What the decoder says, and where.
        reason: String,
    },
    /// The storage of checkpoints cannot be read.
    #[error("cannot read {place}")]
    Storage {
        /// The folder, or the bucket and the folder in it.
        place: String,
        /// What the storage says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The files that came are not those of the checkpoint.
    #[error("checkpoint {uuid}: {reason}")]
    Checkpoint {
        /// The checkpoint.
        uuid: String,
        /// Which file, and what is wrong with it.
        reason: String,
    },
}

/// A refusal of the master.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Method and path of the request.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// The gRPC code behind it, when the answer tells.
    pub code: Option<i64>,
    /// The master's own message.
    pub message: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            request,
            status,
            message,
            ..
        } = self;
        write!(f, "{request}: the master answers {status}: {message}")
    }
}

impl From<tls::Error> for Error {
    fn from(
        tls::Error {
            what,
            value,
            reason,
        }: tls::Error,
    ) -> Self {
        Self::Setting {
            what,
            value,
            reason,
        }
    }
}

impl Error {
    pub(crate) fn setting(what: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self::Setting {
            what,
            value: value.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn file<'a>(
        action: &'static str,
        path: impl AsRef<Path> + 'a,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::File {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    pub(crate) fn checkpoint(uuid: &str, reason: impl Into<String>) -> Self {
        Self::Checkpoint {
            uuid: uuid.to_owned(),
            reason: reason.into(),
        }
    }

    /// What a storage says, without the queries of addresses: a signature is one.
    #[cfg(feature = "storage")]
    pub(crate) fn storage(place: &str, error: impl fmt::Display) -> Self {
        Self::Storage {
            place: place.to_owned(),
            source: ::storage::without_queries(&error.to_string()).into(),
        }
    }

    /// The error of an answer whose status is not a success.
    pub(crate) fn answer(request: String, status: StatusCode, body: &[u8]) -> Self {
        let (code, message) = message_of(body);
        let status = status.as_u16();
        let answer = Answer {
            request,
            status,
            code,
            message,
        };
        match status {
            401 => Self::Unauthenticated(answer),
            403 => Self::Forbidden(answer),
            404 => Self::NotFound(answer),
            409 => Self::AlreadyExists(answer),
            502..=504 => Self::Unavailable(answer),
            _ => Self::Refused(answer),
        }
    }

    /// Whether waiting may help: the network or the master is away for a while.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable(_))
    }
}

/// An error with what it comes from, in one line.
#[cfg(feature = "storage")]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |error| error.source());
    below.fold(error.to_string(), |text, error| format!("{text}: {error}"))
}

/// The two shapes in which a master reports errors: that of the API gateway
/// (`grpcutil/errors.go`) and that of its older routes (`internal/api/error.go`).
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorBody {
    Gateway { error: GatewayError },
    Plain { message: String },
}

#[derive(Deserialize)]
struct GatewayError {
    #[serde(default)]
    code: Option<i64>,
    error: String,
}

/// How much of an answer that is no JSON (a proxy's page) an error repeats.
const LONGEST_EXCERPT: usize = 300;

fn message_of(body: &[u8]) -> (Option<i64>, String) {
    match serde_json::from_slice(body) {
        Ok(ErrorBody::Gateway { error }) => (error.code, error.error),
        Ok(ErrorBody::Plain { message }) => (None, message),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let words: Vec<&str> = text.split_whitespace().collect();
            let excerpt: String = words.join(" ").chars().take(LONGEST_EXCERPT).collect();
            if excerpt.is_empty() {
                (None, "no message".to_owned())
            } else {
                (None, excerpt)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "storage")]
    #[test]
    fn the_queries_of_addresses_are_left_out() {
        let error = Error::storage(
            "azure://c/u",
            "GET https://a.example/c/u?sv=1&sig=hunter2 (why?)",
        );
        assert_eq!(
            chain(&error),
            "cannot read azure://c/u: GET https://a.example/c/u?… (why?)"
        );
    }

    #[test]
    fn the_masters_message_is_kept() {
        for (status, body, want) in [
            (
                500,
                r#"{"error":{"code":13,"reason":"Internal","error":"unknown key \"x\""}}"#,
                "GET /x: the master answers 500: unknown key \"x\"",
            ),
            (
                415,
                r#"{"message":"unsupported media type"}"#,
                "GET /x: the master answers 415: unsupported media type",
            ),
            (
                502,
                "<html>\n  <b>Bad  Gateway</b>",
                "GET /x: the master answers 502: <html> <b>Bad Gateway</b>",
            ),
            (404, "", "GET /x: the master answers 404: no message"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = Error::answer("GET /x".to_owned(), status, body.as_bytes());
            assert_eq!(error.to_string(), want);
        }
    }
}
