//! The record of a version: the object whose writing makes it exist.

use std::collections::BTreeMap;

use model::{Digest, FileEntry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;

/// The value of `format` in every record.
const FORMAT: &str = "pachyderm-seldon/registry-version";

/// The newest `format_version` that this build reads, and the one it writes. Keys may
/// be added within one.
const FORMAT_VERSION: u64 = 1;

/// A version of a model, as it stands in the registry. It never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The model's name.
    pub model: String,
    /// From 1, in the order of publication.
    pub number: u64,
    /// The version's name: the ID of the job that made it.
    pub name: String,
    /// The package's digest, which names the folder of its files.
    pub package: Digest,
    /// Every file of the package.
    pub files: BTreeMap<String, FileEntry>,
    /// Held-out metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// Whether it became the latest, and why.
    pub promotion: Promotion,
    /// The number of the latest promoted version at this one's publication; none
    /// until one is promoted.
    pub latest: Option<u64>,
}

/// Whether a version became the latest, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Whether it did.
    pub promoted: bool,
    /// The condition that decided; none promotes every version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote_if: Option<String>,
    /// The decision in words, with the figures.
    pub reason: String,
}

#[derive(Deserialize)]
struct Sealed {
    digest: Digest,
    version: Value,
}

impl Version {
    /// The record's text, with a digest over the version's own.
    pub(crate) fn seal(&self) -> serde_json::Result<Vec<u8>> {
        let version = serde_json::to_value(self)?;
        let digest = Digest::of(version.to_string().as_bytes());
        let record = json!({
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "digest": digest,
            "version": version,
        });
        let mut text = serde_json::to_vec_pretty(&record)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads the record of version `number` of `model`, which lies at `place`.
    pub(crate) fn open(text: &[u8], model: &str, number: u64, place: &str) -> Result<Self, Error> {
        let damaged = |reason: String| Error::Damaged {
            place: place.to_owned(),
            reason,
        };
        let record: Value = serde_json::from_slice(text)
            .map_err(|error| damaged(format!("it is no record of a version: {error}")))?;
        if record.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(damaged(format!("its format is not {FORMAT:?}")));
        }
        let found = record.get("format_version").and_then(Value::as_u64);
        if let Some(found) = found.filter(|found| *found > FORMAT_VERSION) {
            return Err(Error::Newer {
                place: place.to_owned(),
                found,
                known: FORMAT_VERSION,
            });
        }
        let sealed: Sealed = serde_json::from_value(record)
            .map_err(|error| damaged(format!("it is no record of a version: {error}")))?;
        let found = Digest::of(sealed.version.to_string().as_bytes());
        if found != sealed.digest {
            let expected = sealed.digest;
            return Err(damaged(format!(
                "its digest is {found}, expected {expected}"
            )));
        }
        let version: Self = serde_json::from_value(sealed.version)
            .map_err(|error| damaged(format!("it is no record of a version: {error}")))?;
        if version.model != model || version.number != number {
            let Self { model, number, .. } = version;
            return Err(damaged(format!(
                "it is that of version {number} of {model:?}"
            )));
        }
        Ok(version)
    }
}

#[cfg(test)]
pub(crate) fn example(number: u64, accuracy: f64) -> Version {
    Version {
        model: "iris".to_owned(),
        number,
        name: format!("job-{number}"),
        package: Digest::of(number.to_string().as_bytes()),
        files: BTreeMap::new(),
        metrics: BTreeMap::from([("accuracy".to_owned(), accuracy)]),
        promotion: Promotion {
            promoted: true,
            promote_if: None,
            reason: String::new(),
        },
        latest: Some(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back() {
        let version = example(3, 0.1 + 0.2);
        let text = version.seal().unwrap();
        assert_eq!(Version::open(&text, "iris", 3, "x").unwrap(), version);
    }

    #[test]
    fn a_record_that_is_another_or_was_changed_is_refused() {
        let text = String::from_utf8(example(3, 0.5).seal().unwrap()).unwrap();
        let refused = |text: &str| {
            let opened = Version::open(text.as_bytes(), "iris", 3, "s3://b/3.json");
            opened.unwrap_err().to_string()
        };
        for (from, to, word) in [
            ("\"number\": 3", "\"number\": 2", "its digest is"),
            ("\"latest\": 3", "\"latest\": 1", "its digest is"),
            ("0.5", "0.9", "its digest is"),
            ("registry-version", "other", "format"),
            (
                "\"format_version\": 1",
                "\"format_version\": 2",
                "newer image",
            ),
            ("{", "", "no record"),
        ] {
            let error = refused(&text.replacen(from, to, 1));
            assert!(
                error.contains(word) && error.contains("s3://b/3.json"),
                "{error}"
            );
        }
        let other = Version::open(text.as_bytes(), "rose", 3, "x").unwrap_err();
        assert!(
            other.to_string().contains("version 3 of \"iris\""),
            "{other}"
        );
    }
}
