//! The target `manifest`: the object as a file, for GitOps and the local runner.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use model::publish;
use serde_json::Value;

use super::{Target, TargetError};
use crate::rollout::{Expected, Seen};

/// The file in `/pfs/out`.
pub const MANIFEST_FILE: &str = "seldon-deployment.yaml";

/// A file that holds the object.
#[derive(Debug, Clone)]
pub struct Manifest {
    path: PathBuf,
}

impl Manifest {
    /// The manifest in the folder `out`.
    pub fn new(out: &std::path::Path) -> Self {
        Self {
            path: out.join(MANIFEST_FILE),
        }
    }

    fn refused(&self, action: &str, error: impl std::fmt::Display) -> TargetError {
        TargetError::Refused {
            action: format!("{action} {}", self.path.display()),
            reason: error.to_string(),
        }
    }
}

/// The object's text: keys sorted, so that equal objects are equal bytes and a
/// difference between versions shows as the lines that differ.
fn to_yaml(object: &Value) -> Result<String, serde_saphyr::SerializeError> {
    let mut sorted = object.clone();
    sorted.sort_all_objects();
    serde_saphyr::to_string(&sorted)
}

impl Target for Manifest {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn show_command(&self, _name: &str) -> String {
        format!("kubectl apply --server-side -f {}", self.path.display())
    }

    async fn read(&self) -> Result<Option<Value>, TargetError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.refused("read", error)),
        };
        // A file that is no manifest is not ours to judge: it is replaced.
        Ok(serde_saphyr::from_str(&text).ok())
    }

    async fn rehearse(&self, object: &Value) -> Result<Value, TargetError> {
        Ok(object.clone())
    }

    async fn write(&self, object: &Value, _live: Option<&Value>) -> Result<Value, TargetError> {
        let text = to_yaml(object).map_err(|e| self.refused("write", e))?;
        publish::write_file(&self.path, text.as_bytes()).map_err(|error| {
            let cause = std::error::Error::source(&error);
            let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
            self.refused("write", format!("{error}{cause}"))
        })?;
        Ok(object.clone())
    }

    async fn look(&self, _expected: &Expected) -> Result<Option<Seen>, TargetError> {
        Ok(None)
    }

    async fn pause(&self, _at_most: Duration) {}

    async fn explain(&self, _expected: &Expected) -> Vec<String> {
        Vec::new()
    }
}
