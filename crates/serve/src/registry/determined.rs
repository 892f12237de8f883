//! A version from the registry of a Determined master.

use std::path::PathBuf;

use anyhow::{Context, Result};
use determined::{Client, ModelVersion, Retry, Settings};

use super::cache::Cache;
use super::{Registered, Registry, find};

/// Tries once to find the version and to have its package in the cache.
pub(super) async fn fetch(registry: &Registry, master: &Settings) -> Result<(PathBuf, Registered)> {
    let mut settings = master.clone();
    // Each try is told in the log: there, not in the client.
    settings.retry = Retry {
        attempts: 1,
        ..settings.retry
    };
    let client = Client::new(settings)?;
    let found = find::version(&client, &registry.model, &registry.version).await?;
    let registered = registered(&registry.model, &found);
    let (model, version) = (&registered.model, &registered.version);
    let (number, checkpoint) = (found.version, &found.checkpoint.uuid);
    tracing::info!(model, version, number, checkpoint, "found in the registry");
    let folder = Cache::at(&registry.cache)
        .await?
        .package(&client, &found, &registered)
        .await
        .with_context(|| format!("version {version:?} of the model {model:?}"))?;
    Ok((folder, registered))
}

fn registered(model: &str, found: &ModelVersion) -> Registered {
    let notes = [
        ("registry_version", found.version.to_string()),
        ("checkpoint", found.checkpoint.uuid.clone()),
    ];
    Registered {
        model: model.to_owned(),
        version: match found.name.as_str() {
            "" => found.version.to_string(),
            name => name.to_owned(),
        },
        notes: notes.map(|(key, note)| (key.to_owned(), note)).into(),
    }
}
