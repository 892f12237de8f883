//! What a pipeline keeps between jobs.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::descriptor::Descriptor;
use crate::local::state::State;
use crate::local::{publish, repo, tree};

/// The part of a pipeline's state that is not in its repo.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Part of every datum's hash; a new one lets every datum run again.
    pub(super) salt: String,
    /// The ID of the event that brought the descriptor.
    pub(super) spec_commit: String,
    /// The SHA-256 of the descriptor.
    pub(super) spec: String,
}

impl Settings {
    /// The salt and spec commit, new ones where the descriptor or the wish says so.
    pub(super) fn of(state: &State, pipeline: &Descriptor, reprocess: bool) -> Result<Self> {
        let path = state.pipeline(pipeline.name());
        let spec = tree::digest_text(&pipeline.fields.to_string());
        let before: Option<Self> = match fs::read_to_string(&path) {
            Ok(text) => {
                Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?)
            }
            Err(_) => None,
        };
        let settings = match before {
            Some(settings) if settings.spec == spec && !reprocess => return Ok(settings),
            Some(settings) if !reprocess => Self {
                spec,
                spec_commit: repo::new_id(),
                ..settings
            },
            _ => Self {
                salt: repo::new_id(),
                spec_commit: repo::new_id(),
                spec,
            },
        };
        publish::write_json(&path, &settings)?;
        Ok(settings)
    }
}
