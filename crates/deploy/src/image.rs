//! References to container images.
//!
//! The grammar is that of the distribution project. The crate that knows it
//! (`oci-spec`) brings thirty others, so the three rules stand here.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::text_type;

/// The longest tag (OCI distribution specification).
const TAG: usize = 128;

/// A reference to a container image that has a tag, a digest or both, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Image(String);

/// Why a text is not taken as the reference of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A part breaks the grammar.
    #[error(
        "{reference:?} is not an image reference: its {part} {text:?} must be {rule}; \
         expected REGISTRY/REPOSITORY:TAG, as registry.example/serve:0.0.1"
    )]
    Invalid {
        /// The whole text.
        reference: String,
        /// Which part is wrong.
        part: &'static str,
        /// That part.
        text: String,
        /// What it must be.
        rule: &'static str,
    },
    /// It names no content: the pods of one deployment could differ.
    #[error(
        "the image {0:?} has neither tag nor digest; without one Kubernetes takes \"latest\", \
         which can differ from pod to pod: write {0}:TAG"
    )]
    NoTag(String),
}

impl FromStr for Image {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |part, found: &str, rule| ImageError::Invalid {
            reference: text.to_owned(),
            part,
            text: found.to_owned(),
            rule,
        };
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (name, tag) = match named.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (named, None),
        };
        let (registry, path) = split_registry(name);
        if let Some(registry) = registry.filter(|r| !is_registry(r)) {
            return Err(invalid("registry", registry, "HOST or HOST:PORT"));
        }
        if let Some(part) = path.split('/').find(|part| !is_path_part(part)) {
            let rule =
                "lowercase letters and digits, joined by one of \".\", \"_\", \"__\" or dashes";
            return Err(invalid("repository", part, rule));
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            let rule = "at most 128 letters, digits, \"_\", \".\" and \"-\", \
                        not starting with \".\" or \"-\"";
            return Err(invalid("tag", tag, rule));
        }
        if let Some(digest) = digest.filter(|d| d.parse::<model::Digest>().is_err()) {
            return Err(invalid("digest", digest, "sha256: and 64 hex digits"));
        }
        if tag.is_none() && digest.is_none() {
            return Err(ImageError::NoTag(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The first part is a registry if it could not be part of a path, or is
/// `localhost`.
fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
            (Some(first), rest)
        }
        _ => (None, name),
    }
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let part = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    host.split('.').all(part) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_path_part(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separator = |s: &str| matches!(s, "" | "." | "_" | "__") || s.chars().all(|c| c == '-');
    part.starts_with(word) && part.ends_with(word) && part.split(word).all(separator)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= TAG
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

text_type!(Image, ImageError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_content_is_taken() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for image in [
            "serve:0.0.1",
            "localhost:5000/pachyderm-seldon/serve:0.0.1",
            "localhost/serve:1",
            "registry.example/a/b-c/d__e/serve:0.0.1-rc.1",
            &format!("serve@{digest}"),
            &format!("registry.example:443/serve:V1@{digest}"),
        ] {
            assert_eq!(image.parse::<Image>().unwrap().as_str(), image);
        }
    }

    #[test]
    fn what_does_not_is_refused_with_the_part_that_is_wrong() {
        let error = |text: &str| text.parse::<Image>().unwrap_err().to_string();
        assert!(error("localhost:5000/serve").contains("neither tag nor digest"));
        assert!(error("serve").contains("write serve:TAG"));
        assert!(error("PROJECT/serve:1").contains("repository \"PROJECT\""));
        assert!(error("a//b:1").contains("repository \"\""));
        assert!(error("").contains("repository \"\""));
        assert!(error("a.-b/serve:1").contains("registry \"a.-b\""));
        assert!(error("host:port/serve:1").contains("registry \"host:port\""));
        assert!(error("serve:").contains("tag \"\""));
        assert!(error("serve:.1").contains("tag \".1\""));
        assert!(error("serve: 1").contains("tag \" 1\""));
        assert!(error("serve@sha256:12").contains("digest \"sha256:12\""));
        assert!(error("ser_-ve:1").contains("repository"));
    }
}
