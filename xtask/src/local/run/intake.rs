//! Commits what has changed of the data.

use std::fs;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::Run;
use crate::local::plan::Source;
use crate::local::tree::{self, Sources};
use crate::local::{publish, repo};
use crate::report;

/// `run.json`: the event under way, so that a killed run is continued under its ID.
#[derive(Serialize, Deserialize)]
struct Event {
    id: String,
}

impl Run<'_> {
    /// Commits the sources that have changed, and gives the ID of the event.
    pub(super) fn take_in(&self) -> Result<String> {
        let mut changed: Vec<(&Source, Sources)> = Vec::new();
        for source in &self.plan.sources {
            let files = tree::list(&source.path)?;
            if files.is_empty() {
                bail!("{} holds no file", source.path.display());
            }
            let head = self.state.repo(&source.repo).head()?;
            if head.map(|head| head.files) != Some(tree::digest(&files)?) {
                changed.push((source, files));
            }
        }
        let id = self.event(changed.is_empty())?;
        for (source, files) in changed {
            let commit = self.state.repo(&source.repo).commit(&id, &files, None)?;
            report::status(
                "Committed",
                format!(
                    "{}@{} from {}",
                    source.repo,
                    commit.id,
                    self.state.short(&source.path)
                ),
            );
        }
        Ok(id)
    }

    /// The ID of the event that a killed run has begun, if it can go on; else a new one.
    fn event(&self, sources_unchanged: bool) -> Result<String> {
        let path = self.state.run();
        let begun = fs::read_to_string(&path).ok();
        let begun: Option<Event> = begun.and_then(|text| serde_json::from_str(&text).ok());
        if let Some(event) = begun.filter(|_| sources_unchanged) {
            report::status(
                "Continuing",
                format!("the run {} that was interrupted", event.id),
            );
            return Ok(event.id);
        }
        let id = repo::new_id();
        publish::write_json(&path, &Event { id: id.clone() })?;
        Ok(id)
    }
}
