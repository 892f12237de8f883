//! A version from a registry in an object store.

use std::path::PathBuf;

use anyhow::{Context, Result};
use registry::{Asked, Version};
use storage::Access;

use super::cache::Cache;
use super::{Registered, Registry};

/// A registry in an object store, and the version that is wanted of it.
pub(super) struct Objects<'a> {
    wanted: &'a Registry,
    asked: Asked,
    registry: registry::Registry,
}

impl<'a> Objects<'a> {
    pub(super) async fn open(wanted: &'a Registry, url: &str, access: &Access) -> Result<Self> {
        Ok(Self {
            asked: wanted.version.parse()?,
            registry: registry::Registry::open(url, access).await?,
            wanted,
        })
    }

    /// What the version is now.
    pub(super) async fn current(&self) -> Result<Registered> {
        let found = self.registry.find(&self.wanted.model, &self.asked).await?;
        Ok(self.registered(&found))
    }

    /// Tries once to find the version and to have its package in the cache.
    pub(super) async fn fetch(&self) -> Result<(PathBuf, Registered)> {
        let found = self.registry.find(&self.wanted.model, &self.asked).await?;
        let (model, version, number) = (&found.model, &found.name, found.number);
        tracing::info!(model, version, number, "found in the registry");
        let folder = Cache::at(&self.wanted.cache)
            .await?
            .version(&self.registry, &found)
            .await
            .with_context(|| format!("version {version:?} of the model {model:?}"))?;
        Ok((folder, self.registered(&found)))
    }

    fn registered(&self, found: &Version) -> Registered {
        let notes = [
            ("registry", self.registry.url().to_owned()),
            ("registry_version", found.number.to_string()),
        ];
        Registered {
            model: found.model.clone(),
            version: found.name.clone(),
            notes: notes.map(|(key, note)| (key.to_owned(), note)).into(),
        }
    }
}
