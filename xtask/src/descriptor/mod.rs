//! Strict reading of Pachyderm's pipeline descriptors.
//!
//! Reads what pachctl 2.7 to 2.12 reads (JSON and YAML, both spellings of a field,
//! one or several descriptors in a file) and refuses more than it does: duplicate
//! keys, and comments or trailing commas in JSON.

mod finding;
mod order;
mod places;
mod read;
mod rules;
mod schema;
mod spec;
mod strict;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

pub(crate) use self::finding::Finding;
pub(crate) use self::order::ordered;
use self::places::Places;
pub(crate) use self::read::{examine, read_folder};
pub(crate) use self::spec::{DEFAULT_BRANCH, Input, PfsInput, Secret, Spec, Transform};
use crate::registry;

/// The project that is meant where a descriptor names none.
pub(crate) const DEFAULT_PROJECT: &str = "default";

/// A pipeline and the file it was read from.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its number in the file, from 0.
    index: usize,
    /// All fields that are set, in `snake_case`.
    pub(crate) fields: Value,
    /// The fields that say what is run on what.
    pub(crate) spec: Spec,
}

impl Descriptor {
    /// The pipeline's name.
    pub(crate) fn name(&self) -> &str {
        &self.spec.pipeline.name
    }

    /// Whether its image is called `name`, in any registry.
    pub(crate) fn runs(&self, name: &str) -> bool {
        let (_, repository, _) = registry::parts(&self.spec.transform.image);
        repository.rsplit('/').next() == Some(name)
    }

    /// A finding at one of its fields.
    pub(crate) fn finding(&self, path: &str, what: String) -> Finding {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        Finding {
            file: self.file.clone(),
            line: Some(Places::of(&text).line(self.index, path)),
            path: Some(path.to_owned()),
            what,
        }
    }

    /// The project that the descriptor names.
    pub(crate) fn project(&self) -> Option<&str> {
        let project = self.fields.pointer("/pipeline/project/name");
        project.and_then(Value::as_str)
    }
}

/// The folders of `pipelines/` that hold a use case.
///
/// # Errors
///
/// When the folder cannot be read.
pub(crate) fn use_cases(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("pipelines");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && name != "secrets" {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Brings a specification that a cluster holds into the form of
/// [`Descriptor::fields`].
///
/// # Errors
///
/// When it has a field or a type that is not known here.
pub(crate) fn normalised(spec: Value) -> Result<Value> {
    strict::normalise(spec).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        anyhow::Error::msg(findings.join("; "))
    })
}

/// Whether Pachyderm takes `name` for a repo or pipeline.
pub(crate) fn is_name(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    name.bytes().all(is_inner) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Reads seconds with the unit, `"1.5s"`.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    Duration::try_from_secs_f64(number.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(seconds("1800s"), Some(Duration::from_secs(1800)));
        assert_eq!(seconds("1.5s"), Some(Duration::from_millis(1500)));
        for wrong in ["30m", "s", "-1s", "1e3s", "infs", "5"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
