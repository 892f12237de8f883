//! Names that Kubernetes accepts, checked before anything is sent.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest DNS label (RFC 1123), which bounds container and label values.
const LABEL: usize = 63;

/// The longest DNS subdomain (RFC 1123), which bounds the names of most objects.
const SUBDOMAIN: usize = 253;

/// What the container's name adds to the deployment's.
const CONTAINER_SUFFIX: &str = "-container";

/// Why a text is not a name or reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty.
    #[error("a name is wanted, got nothing")]
    Empty,
    /// It is too long.
    #[error("{name:?} has {length} characters, at most {longest} fit: {reason}")]
    TooLong {
        /// The text.
        name: String,
        /// Its length in characters.
        length: usize,
        /// The most that fit.
        longest: usize,
        /// What sets the limit.
        reason: &'static str,
    },
    /// It has a character that no such name has, or has it in the wrong place.
    #[error("{name:?} is not a DNS name ({wanted}); try {suggestion:?}")]
    NotDns {
        /// The text.
        name: String,
        /// The rule.
        wanted: &'static str,
        /// The nearest text that keeps the rule.
        suggestion: String,
    },
}

/// The name of a deployment: a DNS label that starts with a letter, short enough
/// that the container's name, which is made from it, is a label too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeployName(String);

/// A namespace: a DNS label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(String);

/// The name of a secret or service account: a DNS subdomain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);

impl DeployName {
    /// The name of the container and of the graph's node, which must be equal.
    pub fn container(&self) -> String {
        format!("{}{CONTAINER_SUFFIX}", self.0)
    }
}

impl FromStr for DeployName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reason = "the container is named after it, and \"-container\" follows";
        check_length(text, LABEL - CONTAINER_SUFFIX.len(), reason)?;
        let wanted = "lowercase letters, digits and \"-\", starting with a letter, \
                      ending with a letter or digit";
        if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(not_dns(text, wanted));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Namespace {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_length(text, LABEL, "a namespace is a DNS label")?;
        if !is_label(text) {
            let wanted = "lowercase letters, digits and \"-\", \
                          starting and ending with a letter or digit";
            return Err(not_dns(text, wanted));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for ObjectName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_length(text, SUBDOMAIN, "it is a DNS subdomain")?;
        if !text.split('.').all(is_label) {
            let wanted = "lowercase letters, digits, \"-\" and \".\", \
                          each part starting and ending with a letter or digit";
            return Err(not_dns(text, wanted));
        }
        Ok(Self(text.to_owned()))
    }
}

fn check_length(text: &str, longest: usize, reason: &'static str) -> Result<(), NameError> {
    let length = text.chars().count();
    match length {
        0 => Err(NameError::Empty),
        _ if length > longest => Err(NameError::TooLong {
            name: text.to_owned(),
            length,
            longest,
            reason,
        }),
        _ => Ok(()),
    }
}

fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LABEL).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn not_dns(text: &str, wanted: &'static str) -> NameError {
    let keep = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9') => c,
        _ => '-',
    };
    let replaced: String = text.chars().map(keep).collect();
    let starts_with_letter = wanted.contains("starting with a letter");
    let trimmed = replaced
        .trim_end_matches('-')
        .trim_start_matches(|c: char| c == '-' || (starts_with_letter && c.is_ascii_digit()));
    let suggestion = if trimmed.is_empty() { "iris" } else { trimmed };
    NameError::NotDns {
        name: text.to_owned(),
        wanted,
        suggestion: suggestion.to_owned(),
    }
}

/// A checked text: readable as such, and through serde as a string.
macro_rules! text_type {
    ($name:ident, $error:ty) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

pub(crate) use text_type;

text_type!(DeployName, NameError);
text_type!(Namespace, NameError);
text_type!(ObjectName, NameError);

#[cfg(test)]
mod tests {
    use super::*;

    fn error<T: FromStr<Err = NameError> + std::fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err().to_string()
    }

    #[test]
    fn deploy_names() {
        let longest = "a".repeat(53);
        for name in ["iris", "a", "dogs-and-cats-2", longest.as_str()] {
            let container = name.parse::<DeployName>().unwrap().container();
            assert!(container.len() <= LABEL, "{container}");
        }
        assert!(error::<DeployName>("Dogs_and Cats!").contains("try \"dogs-and-cats\""));
        assert!(error::<DeployName>("2-dogs").contains("try \"dogs\""));
        assert!(error::<DeployName>("---").contains("try \"iris\""));
        assert!(error::<DeployName>(&"a".repeat(54)).contains("54 characters, at most 53"));
        assert!(error::<DeployName>("é").contains("not a DNS name"));
        assert!(error::<DeployName>("").contains("nothing"));
        for bad in ["-a", "a-", "a.b", "a/b", "a\n", " a"] {
            assert!(bad.parse::<DeployName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn object_names_may_have_dots() {
        assert!("a.b-c.2".parse::<ObjectName>().is_ok());
        for bad in ["a..b", ".a", "a.", "A", "a_b"] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad:?}");
        }
        assert!("2seldon".parse::<Namespace>().is_ok());
        assert!("a.b".parse::<Namespace>().is_err());
    }
}
