//! `train trial`: this program as the training code of a Determined experiment.
//!
//! It trains as the engine `local` does and makes the same package, which becomes
//! the checkpoint. What it knows is from the environment of its task
//! (`determined.md` §9). Training takes no longer than starting a task, so of
//! anything half-done only embeddings are kept, where there is a cache: a trial that
//! makes room begins anew, unless its checkpoint is there already.

mod options;
mod record;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use determined::{CheckpointStore, Client, Retry, Settings, TaskEnvironment, Trial};
pub use options::TrialOptions;
use serde_json::{Map, Value};
use tokio::runtime::Builder;

pub(crate) use self::record::{LOSS, Made, is_whole, record, storage_access};
use crate::experiment::Experiment;
use crate::job::Job;
use crate::progress::{step, warn};
use crate::subject::{self, Subject};

/// A master that starts anew is waited for, about two minutes.
const PATIENCE: Retry = Retry {
    attempts: 9,
    pause: Duration::from_millis(500),
};

/// Trains and reports; gives the result's text.
pub(crate) fn run(options: &TrialOptions) -> Result<String> {
    let task = TaskEnvironment::from_variables(|name| std::env::var(name).ok())
        .context("cannot use the environment")?;
    let settings = Settings {
        retry: PATIENCE,
        ..task.settings.clone()
    };
    let client = Client::new(settings)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let result = runtime.block_on(whole(options, &task, client));
    // A training that was preempted is not waited for.
    runtime.shutdown_background();
    result
}

async fn whole(options: &TrialOptions, task: &TaskEnvironment, client: Client) -> Result<String> {
    let mut trial = Trial::of_task(client, task);
    let store =
        CheckpointStore::of_task(task, storage_access()).context("no checkpoint can be saved")?;
    trial.prepare(store.config()).await?;
    if trial.is_preempted_now().await? {
        return make_room(&trial).await;
    }
    let job = job(options)?;
    if let Some(uuid) = &task.latest_checkpoint
        && is_whole(trial.client(), uuid, &job).await?
    {
        trial.report_progress(1.0).await?;
        return Ok(format!("checkpoint {uuid} is of this job: nothing to do\n"));
    }
    let experiment = match chosen(options, &task.hparams) {
        Ok(experiment) => experiment,
        Err(error) => {
            trial.report_invalid_hyperparameters().await?;
            warn(&format!("{error:#}"));
            return Ok("the hyperparameters make no sense: no checkpoint\n".to_owned());
        }
    };
    trial.report_status("training").await?;
    trial.report_progress(0.0).await?;
    let training = tokio::task::spawn_blocking({
        let (options, job) = (options.clone(), job.clone());
        move || train(&options, experiment, &job)
    });
    let made = tokio::select! {
        made = training => made.context("the training ended without a result")??,
        () = asked_for_room(&trial) => return make_room(&trial).await,
    };
    let uuid = record(&trial, &store, made, &job).await?;
    if trial.is_preempted_now().await? {
        trial.acknowledge_preemption().await?;
    }
    Ok(format!("checkpoint  {uuid}\n"))
}

/// Waits until the master wants the resources back.
async fn asked_for_room(trial: &Trial) {
    while let Err(error) = trial.preempted().await {
        warn(&format!("{error}; training goes on"));
        tokio::time::sleep(PATIENCE.pause).await;
    }
}

async fn make_room(trial: &Trial) -> Result<String> {
    trial.acknowledge_preemption().await?;
    step(format_args!(
        "the master wants the resources back: ending; the next start begins anew"
    ));
    Ok("made room\n".to_owned())
}

/// Which model and version, as the one that created the experiment has said.
fn job(options: &TrialOptions) -> Result<Job> {
    let Some(version) = options.training.job_id.clone() else {
        bail!("a trial needs the version's name: set --job-id");
    };
    let mut job = Job::new(&options.training, version);
    job.data_commit.clone_from(&options.data_commit);
    Ok(job)
}

/// The settings, with the hyperparameters that the searcher chose.
fn chosen(options: &TrialOptions, hparams: &Map<String, Value>) -> Result<Experiment> {
    let experiment = subject::read_experiment(&options.training)?;
    experiment
        .with_hyperparameters(hparams)
        .map_err(|reason| anyhow!("the searcher's hyperparameters: {reason}"))
}

fn train(options: &TrialOptions, experiment: Experiment, job: &Job) -> Result<Made> {
    let training = &options.training;
    let subject = Subject::of(training, experiment)?;
    if let Some(expected) = options.data_digest {
        let found = subject.data().digest();
        ensure!(
            found == expected,
            "{} holds other data than the experiment was created for: its digest is {found}, expected {expected}",
            training.data_folder().display()
        );
    }
    Made::of(subject.train(training, job)?)
}
