//! Commits what has changed of the data.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Run;
use crate::local::index::Index;
use crate::local::plan::Source;
use crate::local::tree::{self, Tree};
use crate::local::{archive, publish, repo};
use crate::report;

/// `run.json`: the event under way, so that a killed run is continued under its ID.
#[derive(Serialize, Deserialize)]
struct Event {
    id: String,
}

impl Run<'_> {
    /// Commits the sources that have changed, and gives the ID of the event.
    pub(super) fn take_in(&self) -> Result<String> {
        let mut changed: Vec<(&Source, Tree)> = Vec::new();
        for source in &self.plan.sources {
            let files = self.files(source)?;
            let head = self.state.repo(&source.repo).head()?;
            if head.map(|head| head.files).as_ref() != Some(&files) {
                changed.push((source, files));
            }
        }
        let id = self.event(changed.is_empty())?;
        for (source, files) in changed {
            let commit = self.state.repo(&source.repo).commit(&id, files, None)?;
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

    /// The files of a source, all in the store.
    fn files(&self, source: &Source) -> Result<Tree> {
        let mut index = Index::read(&self.state, &source.repo);
        let unpacked = if archive::is_archive(&source.path) {
            let folder = publish::stage(&self.state.scratch())?;
            archive::unpack(&source.path, folder.path())
                .with_context(|| format!("cannot unpack {}", source.path.display()))?;
            Some(folder)
        } else {
            None
        };
        let path = unpacked
            .as_ref()
            .map_or(&*source.path, |folder| folder.path());
        let files = index.take(self.state.objects(), &tree::list(path)?)?;
        if unpacked.is_none() {
            index.write(&self.state, &source.repo)?;
        }
        Ok(files)
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
