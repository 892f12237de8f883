//! `model-info.yaml`: the hand-over from `train` to `deploy`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Digest;
use crate::publish::{self, PublishError};

/// The name of the document in `/pfs/out` of train and `/pfs/<input>` of deploy.
pub const MODEL_INFO_FILE: &str = "model-info.yaml";

/// Which model version exists, and where.
///
/// The first four keys are those that existing pipelines write and read; all
/// others are optional. Keys that this version does not know are kept in their
/// place, so that an older program between two newer ones loses nothing.
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
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub other: serde_json::Map<String, Value>,
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
        let info: Self = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
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
        serde_saphyr::to_string(self).map_err(|e| InfoError::Invalid {
            path: MODEL_INFO_FILE.into(),
            reason: e.to_string(),
        })
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
