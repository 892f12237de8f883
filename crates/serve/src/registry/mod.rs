//! A model version from the registry of a Determined master.
//!
//! The version is found exactly, its checkpoint is downloaded below a cache folder,
//! and what can be served of it becomes a package there, which is then loaded like
//! any other. A container that starts again finds its package in the cache.

mod cache;
mod find;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use determined::{Client, ModelVersion, Retry, Settings};
use tokio::time::sleep;

use cache::Cache;

/// The version that a deployment means which wants the newest.
pub(crate) const LATEST: &str = "latest";

/// The pause after the first try, which doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Which version of which model, and where it is asked for.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The master, and who asks.
    pub(crate) master: Settings,
    /// The model's name.
    pub(crate) model: String,
    /// The version's name or number, or [`LATEST`].
    pub(crate) version: String,
    /// The folder that packages are kept in.
    pub(crate) cache: PathBuf,
    /// How long to go on trying while the master is away.
    pub(crate) patience: Duration,
}

/// A version that was found.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    /// The model's name.
    pub(crate) model: String,
    /// The version's name, or its number where it has none.
    pub(crate) version: String,
    number: i64,
    checkpoint: String,
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (model, version, master) = (&self.model, &self.version, &self.master.address);
        write!(f, "{model} {version} of {master}")
    }
}

impl Registered {
    fn of(model: &str, found: &ModelVersion) -> Self {
        let version = match found.name.as_str() {
            "" => found.version.to_string(),
            name => name.to_owned(),
        };
        Self {
            model: model.to_owned(),
            version,
            number: found.version,
            checkpoint: found.checkpoint.uuid.clone(),
        }
    }

    /// What the metadata says of it.
    pub(crate) fn notes(&self) -> BTreeMap<String, String> {
        let notes = [
            ("registry_version", self.number.to_string()),
            ("checkpoint", self.checkpoint.clone()),
        ];
        notes.map(|(key, note)| (key.to_owned(), note)).into()
    }
}

impl Registry {
    /// The version and the folder of its package, once it lies there. While the
    /// master cannot be reached, it is asked again and again.
    ///
    /// # Errors
    ///
    /// At once when the master refuses the user, there is no such model or version,
    /// or its checkpoint cannot be served; after the patience when the master stays
    /// away.
    pub(crate) async fn fetch(&self) -> Result<(PathBuf, Registered)> {
        let mut settings = self.master.clone();
        // Each try is told in the log: here, not in the client.
        settings.retry = Retry {
            attempts: 1,
            ..settings.retry
        };
        let client = Client::new(settings)?;
        let (start, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let error = match self.attempt(&client).await {
                Err(error) if is_transient(&error) => error,
                outcome => return outcome,
            };
            if start.elapsed() + pause > self.patience {
                let seconds = self.patience.as_secs_f64();
                return Err(error.context(format!(
                    "the master {} has been away for {seconds} s (--det-patience): giving up",
                    client.address()
                )));
            }
            let (error, seconds) = (format!("{error:#}"), pause.as_secs_f64());
            tracing::warn!(error, again_after_seconds = seconds, "the master is away");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, client: &Client) -> Result<(PathBuf, Registered)> {
        let found = find::version(client, &self.model, &self.version).await?;
        let registered = Registered::of(&self.model, &found);
        let (model, version, number) = (&registered.model, &registered.version, found.version);
        let checkpoint = &registered.checkpoint;
        tracing::info!(model, version, number, checkpoint, "found in the registry");
        let folder = Cache::at(&self.cache)
            .await?
            .package(client, &found, &registered)
            .await
            .with_context(|| format!("version {version:?} of the model {model:?}"))?;
        Ok((folder, registered))
    }
}

fn is_transient(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<determined::Error>();
    error.is_some_and(determined::Error::is_transient)
}
