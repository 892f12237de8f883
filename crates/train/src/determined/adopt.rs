//! Finding the experiment of this job, or creating it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use determined::{Client, ContextFile, Error, Experiment, ModelVersion, NewExperiment, Phase};
use serde_json::Value;

use super::config::{ORIGIN, set_origin};
use super::options::DeterminedOptions;
use crate::progress::{step, warn};
use crate::run::counted;

/// How often an experiment is looked for whose creation had no answer, before it
/// is created again.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
const CREATIONS: u32 = 3;

/// What is needed to create the experiment.
pub(super) struct Plan<'a> {
    pub(super) client: &'a Client,
    pub(super) options: &'a DeterminedOptions,
    pub(super) labels: [&'a str; 3],
    pub(super) model: &'a str,
    pub(super) config: Value,
    pub(super) code: Vec<ContextFile>,
    /// Whether the code can continue the checkpoint of the latest version.
    pub(super) continues: bool,
}

impl Plan<'_> {
    /// The experiment of this job: one from an earlier attempt that runs or has
    /// completed, or a new one.
    pub(super) async fn experiment(self) -> Result<Experiment> {
        if let Some(found) = find(self.client, self.labels).await? {
            return self.adopt(found).await;
        }
        let new = self.new_experiment().await?;
        for _ in 0..CREATIONS {
            let error = match self.client.create_experiment(&new).await {
                Ok(created) => {
                    let id = created.experiment.id;
                    let size = counted(new.model_definition.len(), "file");
                    step(format_args!("created experiment {id} with {size} of code"));
                    for warning in &created.warnings {
                        warn(&format!("the master says {warning}"));
                    }
                    return Ok(created.experiment);
                }
                Err(error) => error,
            };
            // Also a refusal may have left one, created and not started.
            let lost = matches!(error, Error::Uncertain { .. });
            if let Some(found) = self.look_again(lost).await? {
                return self.adopt(found).await;
            }
            if !lost {
                return Err(error).context("the experiment was not created");
            }
            step(format_args!("{error}; it has not, so once more"));
        }
        bail!("the experiment was not created: the connection broke each time; run it again")
    }

    async fn look_again(&self, lost: bool) -> Result<Option<Experiment>> {
        for _ in 1..if lost { LOOKS } else { 1 } {
            if let Some(found) = find(self.client, self.labels).await? {
                return Ok(Some(found));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        find(self.client, self.labels).await
    }

    async fn adopt(&self, found: Experiment) -> Result<Experiment> {
        step(format_args!(
            "experiment {} of this job is {}: taking it over",
            found.id, found.state
        ));
        if found.state.phase() == Phase::Paused {
            // Its creation may have ended before it was started.
            self.client.activate_experiment(found.id).await?;
            step(format_args!("started experiment {}", found.id));
        }
        Ok(found)
    }

    async fn new_experiment(&self) -> Result<NewExperiment> {
        let mut new = NewExperiment {
            config: self.config.clone(),
            model_definition: self.code.clone(),
            activate: true,
            parent_id: None,
        };
        let Some(latest) = self.latest().await? else {
            return Ok(new);
        };
        let source = new.config.pointer_mut("/searcher");
        let Some(searcher) = source.and_then(Value::as_object_mut) else {
            bail!("the configuration has no key searcher, so no checkpoint can be continued");
        };
        let given = ["source_checkpoint_uuid", "source_trial_id"];
        if given
            .iter()
            .any(|key| searcher.get(*key).is_some_and(|v| !v.is_null()))
        {
            step(format_args!("the configuration says what is continued"));
        } else {
            let uuid = latest.checkpoint.uuid.clone();
            step(format_args!(
                "continuing checkpoint {uuid} of version {} {}",
                latest.version, latest.name
            ));
            searcher.insert("source_checkpoint_uuid".to_owned(), uuid.into());
        }
        if self.options.fork {
            let parent = latest.checkpoint.training.experiment_id;
            let parent = parent.context(
                "the latest version's checkpoint is of no experiment, so there is nothing to fork",
            )?;
            step(format_args!(
                "with the code of experiment {parent} (--fork)"
            ));
            let origin = latest.checkpoint.training.experiment_config.pointer(ORIGIN);
            set_origin(&mut new.config, origin);
            new.parent_id = Some(parent);
            new.model_definition = Vec::new();
        }
        Ok(new)
    }

    /// The version that is continued.
    async fn latest(&self) -> Result<Option<ModelVersion>> {
        if self.options.fresh || !self.continues {
            return Ok(None);
        }
        match self.client.latest_version(self.model).await {
            Ok(version) => Ok(version),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The experiment of an earlier attempt, unless it has failed. If there are two,
/// the older counts, for every attempt alike.
pub(super) async fn find(client: &Client, labels: [&str; 3]) -> Result<Option<Experiment>> {
    let mut found = client.experiments_with_labels(&labels).await?;
    found.retain(|experiment| experiment.state.phase() != Phase::Failed);
    let count = found.len();
    let kept = found.into_iter().min_by_key(|experiment| experiment.id);
    if let Some(kept) = kept.as_ref().filter(|_| count > 1) {
        warn(&format!(
            "{count} experiments have the labels of this job; the oldest, {}, counts",
            kept.id
        ));
    }
    Ok(kept)
}
