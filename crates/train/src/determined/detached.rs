//! Training in this process, while the master records run, metrics and checkpoint.

use std::convert::Infallible;
use std::time::Duration;

use ::determined::{CheckpointStore, Client, Experiment, Phase, Trial, TrialState};
use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::{config, secrets::Secrets};
use crate::job::Job;
use crate::progress::{step, warn};
use crate::subject::Subject;
use crate::trial::{Made, is_whole, record, storage_access};
use crate::{Args, TrainingOptions};

/// The master takes a trial for failed that is silent for five minutes.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// A training that is about to be recorded.
pub(super) struct Detached<'a> {
    client: &'a Client,
    training: &'a TrainingOptions,
    job: &'a Job,
    subject: Subject,
    pub(super) config: Value,
}

impl<'a> Detached<'a> {
    /// Reads the settings and the data.
    pub(super) fn new(
        args: &'a Args,
        job: &'a Job,
        client: &'a Client,
        secrets: &mut Secrets,
    ) -> Result<Self> {
        let subject = Subject::read(&args.training)?;
        let config = config::own(args, job, subject.experiment(), secrets)?;
        Ok(Self {
            client,
            training: &args.training,
            job,
            subject,
            config: Value::Object(config),
        })
    }

    /// The experiment of this job, completed: that of an earlier attempt, or the
    /// one that records the training which happens now.
    pub(super) async fn experiment(self) -> Result<Experiment> {
        let (client, job) = (self.client, self.job);
        let id = external_id(job);
        let experiment = client
            .ensure_detached_experiment(&id, &self.config)
            .await
            .context("the master does not record the training")?;
        let number = experiment.id;
        if experiment.state.phase() == Phase::Completed {
            step(format_args!("experiment {number} of this job is completed"));
            return Ok(experiment);
        }
        step(format_args!("experiment {number} records the training"));
        let store = CheckpointStore::of_experiment(&experiment.config, storage_access())
            .context("no checkpoint can be saved")?;
        let hparams = hparams(&self.subject)?;
        let (mut trial, resumed) = client.start_detached_trial(number, &id, &hparams).await?;
        let saved = match &resumed.latest_checkpoint {
            Some(uuid) => is_whole(client, uuid, job).await?,
            None => false,
        };
        if saved {
            step(format_args!("an earlier attempt has saved its checkpoint"));
        } else {
            trial.prepare(store.config()).await?;
            trial.report_state(TrialState::Running).await?;
            let recorded = self.train(&trial, &store).await;
            if recorded.is_err() {
                // The reason counts, and not whether the master learns of it.
                let _ = trial.report_state(TrialState::Error).await;
            }
            recorded?;
        }
        trial.report_state(TrialState::Completed).await?;
        Ok(client.experiment(number).await?)
    }

    async fn train(self, trial: &Trial, store: &CheckpointStore) -> Result<()> {
        trial.report_progress(0.0).await?;
        let (training, job) = (self.training.clone(), self.job.clone());
        let subject = self.subject;
        let made = move || Made::of(subject.train(&training, &job)?);
        let made = tokio::select! {
            made = tokio::task::spawn_blocking(made) => {
                made.context("the training ended without a result")??
            }
            never = beat(trial) => match never {},
        };
        record(trial, store, made, self.job).await.map(drop)
    }
}

/// One for each job, as the labels of an experiment on the cluster.
fn external_id(job: &Job) -> String {
    format!("{}-{}", job.pipeline, job.version)
}

fn hparams(subject: &Subject) -> Result<Map<String, Value>> {
    let settings = serde_json::to_value(&subject.experiment().hyperparameters)?;
    Ok(settings.as_object().cloned().unwrap_or_default())
}

/// Tells the master from time to time that this process lives.
async fn beat(trial: &Trial) -> Infallible {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if let Err(error) = trial.heartbeat().await {
            warn(&format!("{error}; training goes on"));
        }
    }
}
