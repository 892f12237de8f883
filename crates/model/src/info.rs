//! `model-info.yaml`: the hand-over from `train` to `deploy`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Digest;
use crate::publish::{self, PublishError};

/// The name of the document in `/pfs/out` of train and `/pfs/<input>` of deploy.
pub const MODEL_INFO_FILE: &str = "model-info.yaml";

/// Which model version exists, and where.
///
/// The first four keys are those that existing pipelines write and read; all
/// others are optional. A document is written in the order in which it was read,
/// with the keys that this version does not know in their place, so that an older
/// program between two newer ones loses nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The registered model, `iris`.
    pub name: String,
    /// The version's name: the ID of the Pachyderm job that made it.
    pub version: String,
    /// The training pipeline, whose output repo holds the package.
    pub pipeline: String,
    /// The data repo that the pipeline reads.
    pub repo: String,
    /// Where the model package lies, as a URI that Seldon's storage initializer
    /// understands. Absent: the directory `model` beside this document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The package's digest. Absent: the package is not pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The commit of the data repo that the model was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_commit: Option<String>,
    /// Held-out metrics by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Where the version stands in a registry. Absent: it is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistryEntry>,
    /// What was trained and not promoted: this document then names the version that
    /// goes on being served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Candidate>,
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
    /// The keys of the document that was read, in its order.
    #[serde(skip)]
    order: Vec<String>,
}

/// A version's place in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryEntry {
    /// The registry's URL, without credentials.
    pub url: String,
    /// The version's number.
    pub number: u64,
    /// Why it was promoted.
    #[serde(default)]
    pub reason: String,
}

/// A version that was trained and not promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub version: String,
    /// Its number in the registry.
    pub number: u64,
    /// Why it was not promoted.
    pub reason: String,
}

/// Why a `model-info.yaml` cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InfoError {
    /// The file cannot be opened.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not YAML, lacks a key, or a key has the wrong type.
    #[error("{} is not a model-info.yaml: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        reason: String,
    },
    /// It cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl ModelInfo {
    /// A document with the four keys alone.
    pub fn new(name: String, version: String, pipeline: String, repo: String) -> Self {
        Self {
            name,
            version,
            pipeline,
            repo,
            uri: None,
            digest: None,
            data_commit: None,
            metrics: BTreeMap::new(),
            registry: None,
            candidate: None,
            other: Map::new(),
            order: Vec::new(),
        }
    }

    /// Reads the document at `path`.
    ///
    /// # Errors
    ///
    /// When there is none, it is not YAML, or one of the four keys is missing or
    /// empty.
    pub fn read(path: &Path) -> Result<Self, InfoError> {
        let text = fs::read_to_string(path).map_err(|source| InfoError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|reason| InfoError::Invalid {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut info: Self = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
        let document: Map<String, Value> =
            serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
        info.order = document.into_iter().map(|(key, _)| key).collect();
        let keys = [
            ("name", &info.name),
            ("version", &info.version),
            ("pipeline", &info.pipeline),
            ("repo", &info.repo),
        ];
        match keys.iter().find(|(_, value)| value.trim().is_empty()) {
            Some((key, _)) => Err(format!("the key {key:?} is empty")),
            None => Ok(info),
        }
    }

    /// The document's text.
    ///
    /// # Errors
    ///
    /// When a value cannot be written as YAML.
    pub fn to_yaml(&self) -> Result<String, InfoError> {
        let invalid = |reason: String| InfoError::Invalid {
            path: MODEL_INFO_FILE.into(),
            reason,
        };
        let value = serde_json::to_value(self).map_err(|e| invalid(e.to_string()))?;
        let mut ordered = Map::new();
        if let Value::Object(mut keys) = value {
            let known = self
                .order
                .iter()
                .filter_map(|key| keys.shift_remove_entry(key));
            ordered.extend(known);
            ordered.extend(keys);
        }
        serde_saphyr::to_string(&ordered).map_err(|e| invalid(e.to_string()))
    }

    /// Publishes the document at `path`, atomically.
    ///
    /// # Errors
    ///
    /// When `path` cannot be written. It is then as before.
    pub fn write(&self, path: &Path) -> Result<(), InfoError> {
        Ok(publish::write_file(path, self.to_yaml()?.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR_KEYS: &str = "name: dogs-and-cats\npipeline: dogs-and-cats-model\n\
        repo: dogs-and-cats\nversion: 2c0d5a3c8e5f4b0d9a7e1f2c3b4a5968\n";

    #[test]
    fn the_four_keys_come_back_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(MODEL_INFO_FILE);
        fs::write(&path, FOUR_KEYS).unwrap();
        let info = ModelInfo::read(&path).unwrap();
        info.write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), FOUR_KEYS);
    }

    #[test]
    fn unknown_keys_are_kept() {
        let text = format!("{FOUR_KEYS}zone: 7\nowner:\n  team: vision\n");
        let info = ModelInfo::parse(&text).unwrap();
        assert_eq!(info.other["zone"], 7);
        assert_eq!(ModelInfo::parse(&info.to_yaml().unwrap()).unwrap(), info);
    }

    /// Job IDs are hex: one in some hundred reads as a number.
    #[test]
    fn a_version_that_looks_like_a_number_stays_a_text() {
        for version in [
            "00000000000040008000000000000000",
            "12345e67",
            "0x10",
            "true",
            "1_0",
            "~",
        ] {
            let mut info = ModelInfo::parse(FOUR_KEYS).unwrap();
            info.version = version.to_owned();
            let yaml = info.to_yaml().unwrap();
            assert_eq!(ModelInfo::parse(&yaml).unwrap().version, version, "{yaml}");
        }
        let unquoted = FOUR_KEYS.replace("2c0d5a3c8e5f4b0d9a7e1f2c3b4a5968", "00120000");
        assert_eq!(ModelInfo::parse(&unquoted).unwrap().version, "00120000");
    }

    #[test]
    fn refusals_name_the_key() {
        for (text, word) in [
            ("", "end of input"),
            ("name: a\nversion: b\nrepo: c\n", "pipeline"),
            ("name: a\nversion: ''\npipeline: p\nrepo: c\n", "version"),
            ("name: [1]\nversion: b\npipeline: p\nrepo: c\n", "line 1"),
            ("{", ""),
        ] {
            let reason = ModelInfo::parse(text).unwrap_err();
            assert!(reason.contains(word), "{text:?}: {reason}");
        }
    }
}
