//! The registry that a version is published to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use model::{DATA_FILE, MANIFEST_FILE};
use registry::{Asked, Condition, Error, Published, Registry, Version};
use storage::Access;
use tokio::runtime::Runtime;

use crate::job::Job;
use crate::previous;
use crate::progress::{step, warn};
use crate::publication::METRICS_FILE;
use crate::waiting::{runtime, wait};

/// Where versions are kept, and when one becomes the latest.
#[derive(Debug, Clone, Args)]
pub struct RegistryOptions {
    /// The registry that the version is published to as well: file:///FOLDER,
    /// s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER. Credentials are
    /// read from the environment, as the clouds' own tools read them.
    #[arg(
        long,
        env = "TRAIN_REGISTRY",
        value_name = "URL",
        hide_env_values = true
    )]
    pub registry: Option<String>,

    /// When the version becomes the latest of the registry, as "accuracy >= previous";
    /// instead of the experiment's promote_if. Without both, always.
    #[arg(long, env = "TRAIN_PROMOTE_IF", value_name = "CONDITION")]
    pub promote_if: Option<String>,
}

/// A registry that can be asked, and when a version of it is promoted.
#[derive(Debug)]
pub(crate) struct Registering {
    registry: Registry,
    condition: Option<Condition>,
    /// The connections of the registry live as long.
    runtime: Runtime,
}

impl RegistryOptions {
    /// The condition of the command line.
    pub(crate) fn condition(&self) -> Result<Option<Condition>> {
        let text = self.promote_if.as_deref().filter(|text| !text.is_empty());
        let condition = text.map(str::parse).transpose();
        condition.context("--promote-if")
    }

    /// The registry, which has been asked for `model` once: who may not read it, or
    /// has misspelt it, learns that before the training. None where none is given.
    pub(crate) fn open(
        &self,
        model: &str,
        condition: Option<Condition>,
    ) -> Result<Option<Registering>> {
        let Some(url) = self.registry.as_deref().filter(|url| !url.is_empty()) else {
            if let Some(condition) = condition {
                warn(&format!(
                    "promote_if: {condition} has no effect without --registry"
                ));
            }
            return Ok(None);
        };
        let runtime = runtime()?;
        let access = Access::from_variables(std::env::vars());
        let registry = wait(&runtime, Registry::open(url, &access))?;
        let registering = Registering {
            registry,
            condition,
            runtime,
        };
        let latest = registering.latest(model)?;
        let latest = latest.map_or_else(
            || format!("no latest version of {model}"),
            |latest| format!("{model} {} ({}) as the latest", latest.number, latest.name),
        );
        step(format_args!(
            "the registry {} has {latest}",
            registering.url()
        ));
        Ok(Some(registering))
    }
}

impl Registering {
    /// The registry's URL, without credentials.
    pub(crate) fn url(&self) -> &str {
        self.registry.url()
    }

    /// The latest version of `model`, if one is promoted.
    pub(crate) fn latest(&self, model: &str) -> Result<Option<Version>> {
        self.find(model, &Asked::Latest)
    }

    /// The version of `model` with this name, if there is one.
    fn named(&self, model: &str, name: &str) -> Result<Option<Version>> {
        let found = self.find(model, &Asked::Named(name.to_owned()))?;
        Ok(found.filter(|version| version.name == name))
    }

    fn find(&self, model: &str, asked: &Asked) -> Result<Option<Version>> {
        match wait(&self.runtime, self.registry.find(model, asked)) {
            Ok(version) => Ok(Some(version)),
            Err(Error::NoModel { .. } | Error::NoVersion { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What the report of `job`'s version compares with, fetched into a new folder below
    /// `scratch`: the latest version; where this one is published already, the one that
    /// it was compared with, so that it is made again as it was.
    pub(crate) fn previous(&self, job: &Job, scratch: &Path) -> Result<Option<PathBuf>> {
        let version = match self.named(&job.model, &job.version)? {
            Some(own) => {
                let own = self.described(&own, &scratch.join("own"))?;
                let name = own.as_deref().map(previous::compared_with).transpose()?;
                let named = name.flatten().map(|name| self.named(&job.model, &name));
                named.transpose()?.flatten()
            }
            None => self.latest(&job.model)?,
        };
        match version {
            Some(version) => self.described(&version, &scratch.join("previous")),
            None => Ok(None),
        }
    }

    /// The new folder `target` with the files of `version` that describe it; none where
    /// it has no figures for programs.
    fn described(&self, version: &Version, target: &Path) -> Result<Option<PathBuf>> {
        if !version.files.contains_key(METRICS_FILE) {
            return Ok(None);
        }
        let wanted = |name: &str| [MANIFEST_FILE, METRICS_FILE, DATA_FILE].contains(&name);
        let fetching = self.registry.fetch_some(version, target, wanted);
        wait(&self.runtime, fetching)?;
        Ok(Some(target.to_owned()))
    }

    /// Publishes the package in `folder`.
    pub(crate) fn publish(&self, folder: &Path) -> Result<Published> {
        let publishing = self.registry.publish(folder, self.condition.as_ref());
        let published = wait(&self.runtime, publishing)?;
        let Version {
            number, promotion, ..
        } = &published.version;
        let verb = match published.existed {
            true => "was published before",
            false => "published",
        };
        let (url, reason) = (self.url(), &promotion.reason);
        match promotion.promoted {
            true => step(format_args!(
                "{verb} as version {number} to {url}, and promoted: {reason}"
            )),
            false => warn(&format!(
                "{verb} as version {number} to {url}, and not promoted: {reason}"
            )),
        }
        Ok(published)
    }

    /// The version that is the latest of `published`'s model when it was published.
    pub(crate) fn promoted(&self, published: &Version) -> Result<Option<Version>> {
        let Some(number) = published.latest else {
            return Ok(None);
        };
        let finding = self.registry.version(&published.model, number);
        Ok(Some(wait(&self.runtime, finding)?))
    }

    /// Makes the new folder `target` with the package of `version`.
    pub(crate) fn fetch(&self, version: &Version, target: &Path) -> Result<()> {
        Ok(wait(&self.runtime, self.registry.fetch(version, target))?)
    }
}
