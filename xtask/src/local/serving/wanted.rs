//! What is to be served and what is served, as files that two runs share.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use crate::local::publish;
use crate::local::state::State;
use crate::local::tree;

/// A manifest that was applied.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) manifest: Manifest,
    /// The SHA-256 of the manifest.
    pub(crate) generation: String,
}

/// What the supervisor has made of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Which manifest this speaks of.
    pub(crate) generation: String,
    pub(crate) phase: Phase,
    /// Where it answers, once it is ready.
    pub(crate) url: Option<String>,
    /// Why it is not served.
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Starting,
    Ready,
    Failed,
}

impl Wanted {
    /// Writes the manifest of a commit as the wanted state.
    ///
    /// # Errors
    ///
    /// When it is one that cannot be served; the wanted state is then as before.
    pub(crate) fn apply(state: &State, text: &str) -> Result<Self> {
        let wanted = Self::parse(text)?;
        let path = yaml(state, &wanted.manifest.name);
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            publish::write(&path, text.as_bytes())?;
        }
        Ok(wanted)
    }

    fn parse(text: &str) -> Result<Self> {
        Ok(Self {
            manifest: Manifest::parse(text)?,
            generation: tree::digest_text(text),
        })
    }

    /// A status of this generation, without its details.
    pub(super) fn status(&self, phase: Phase) -> Status {
        Status {
            generation: self.generation.clone(),
            phase,
            url: None,
            reason: None,
        }
    }

    /// Everything that is to be served.
    pub(crate) fn all(state: &State) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        let Ok(entries) = fs::read_dir(state.deployments()) else {
            return Ok(all);
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "yaml") {
                all.push(Self::read_file(&path)?);
            }
        }
        all.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
        Ok(all)
    }

    /// What is wanted of a deployment.
    pub(crate) fn read(state: &State, name: &str) -> Result<Self> {
        Self::read_file(&yaml(state, name))
    }

    fn read_file(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }
}

impl Status {
    /// The status of a deployment, if the supervisor has written one.
    pub(crate) fn read(state: &State, name: &str) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(json(state, name)).ok()?).ok()
    }

    pub(super) fn write(&self, state: &State, name: &str) -> Result<()> {
        publish::write_json(&json(state, name), self)
    }

    /// Removes the status, so that the supervisor looks at the manifest afresh.
    pub(crate) fn forget(state: &State, name: &str) -> Result<()> {
        publish::remove(&json(state, name))
    }
}

fn yaml(state: &State, name: &str) -> PathBuf {
    state.deployments().join(format!("{name}.yaml"))
}

fn json(state: &State, name: &str) -> PathBuf {
    state.deployments().join(format!("{name}.json"))
}
