//! The pod's annotations that bound requests.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::grpc::Limits;

/// What the pod's annotations say; what they do not say is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Annotations {
    /// `seldon.io/rest-timeout`, in milliseconds: the longest time of a request.
    pub(super) rest_timeout: Option<Duration>,
    /// `seldon.io/grpc-timeout`, in milliseconds: the longest time of a call.
    grpc_timeout: Option<Duration>,
    /// `seldon.io/grpc-max-message-size`, in bytes, in both directions.
    grpc_message: Option<usize>,
}

impl Annotations {
    /// Reads the file that Kubernetes writes: one `key="value"` per line, quoted
    /// as in Go. Other annotations are not looked at.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read, or a value is no number.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        Self::parse(&text).with_context(|| format!("the annotations in {}", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut found = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            // A number needs no escapes.
            let value = value.trim().trim_matches('"');
            let number = || {
                let number: Result<u64, _> = value.parse();
                number.with_context(|| format!("{key} is {value:?}, expected a whole number"))
            };
            // As for the orchestrator, what is not above zero is no limit.
            let limit = || match value.strip_prefix('-') {
                Some(digits) if digits.parse::<u64>().is_ok() => Ok(None),
                _ => number().map(|it| (it > 0).then(|| Duration::from_millis(it))),
            };
            match key.trim() {
                "seldon.io/rest-timeout" => found.rest_timeout = limit()?,
                "seldon.io/grpc-timeout" => found.grpc_timeout = limit()?,
                "seldon.io/grpc-max-message-size" => {
                    found.grpc_message = Some(usize::try_from(number()?)?);
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The limits of gRPC, with messages of `message` bytes where the annotations
    /// say nothing.
    pub(super) fn limits(&self, message: usize) -> Limits {
        Limits {
            message: self.grpc_message.unwrap_or(message),
            call: self.grpc_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "kubernetes.io/config.seen=\"2026-01-01T00:00:00Z\"\n\
                    prometheus.io/path=\"/a=b\\\"c\"\n\
                    seldon.io/rest-timeout=\"2500\"\n\
                    seldon.io/grpc-timeout=\"1000\"\n\
                    seldon.io/grpc-max-message-size=\"1048576\"\n\
                    nonsense";
        let found = Annotations::parse(text).unwrap();
        assert_eq!(found.rest_timeout, Some(Duration::from_millis(2500)));
        let limits = found.limits(7);
        assert_eq!(limits.call, Some(Duration::from_secs(1)));
        assert_eq!(limits.message, 1 << 20);
        let none = Annotations::parse("").unwrap();
        assert_eq!((none.limits(7).message, none.limits(7).call), (7, None));
        for none in ["0", "-1"] {
            let found = Annotations::parse(&format!("seldon.io/rest-timeout=\"{none}\""));
            assert_eq!(found.unwrap(), Annotations::default(), "{none}");
        }
        let error = Annotations::parse("seldon.io/rest-timeout=\"2s\"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "seldon.io/rest-timeout is \"2s\", expected a whole number"
        );
    }

    #[test]
    fn no_file_means_no_annotations() {
        let found = Annotations::read(Path::new("/does/not/exist")).unwrap();
        assert_eq!(found, Annotations::default());
    }
}
