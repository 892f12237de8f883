//! Follows the latest version of a registry.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::app::App;
use crate::models::Source;
use crate::problem::Problem;
use crate::registry::{Registered, Registry};

/// The latest version of a registry, and what is served of it.
#[derive(Debug)]
pub(super) struct Latest {
    registry: Registry,
    /// All but the folder and the version.
    source: Source,
    served: (PathBuf, Registered),
}

impl Latest {
    /// What `registry` has that may change, of which `fetched` is served; none where
    /// the version is a certain one.
    pub(super) fn of(registry: Registry, source: Source, fetched: &Source) -> Option<Self> {
        let served = (fetched.root.clone(), fetched.registered.clone()?);
        registry.moves().then_some(Self {
            registry,
            source,
            served,
        })
    }

    /// Looks for a later version as long as the server runs, and switches to it once it
    /// has predicted. One that cannot be fetched or loaded leaves the former serving,
    /// and is tried again.
    pub(super) async fn follow(mut self, app: Arc<App>, pause: Duration) {
        let mut told = None;
        while !app.is_draining() {
            sleep(pause).await;
            let problem = self.look(&app).await.err();
            // Once, and not with every look.
            if problem != told
                && let Some(error) = &problem
            {
                tracing::error!(error, "cannot switch; the version before still serves");
            }
            told = problem;
        }
    }

    async fn look(&mut self, app: &Arc<App>) -> Result<(), String> {
        let text = |error: anyhow::Error| format!("{error:#}");
        if !self
            .registry
            .has_moved(&self.served.1)
            .await
            .map_err(text)?
        {
            return Ok(());
        }
        let (folder, version) = self.registry.fetch().await.map_err(text)?;
        let now = (folder.clone(), version.clone());
        let source = self.source.clone().registered(folder, version);
        let switched = app.change(move |models| {
            let switched = models.switch(source);
            switched.map_err(|error| Problem::Internal(format!("{error:#}")))
        });
        switched.await.map_err(|problem| problem.to_string())?;
        let (former, _) = std::mem::replace(&mut self.served, now);
        // A restart needs the version that is served, and no other.
        let removed = spawn_blocking(move || fs::remove_dir_all(former)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::warn!("cannot remove the former version from the cache");
        }
        Ok(())
    }
}
