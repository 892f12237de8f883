//! Trains on a Determined cluster, registers the result and publishes its package.
//!
//! The way of a run:
//!
//! 1. `options`, `code`, `config`: what to run. The code is a folder, or is fetched
//!    from git; the configuration gets the labels of the job and the coordinates of
//!    the data. Where no code is given, `program` makes this program the experiment.
//! 2. `adopt`: the version or experiment of an earlier attempt of the same job is
//!    taken over; otherwise an experiment is created, which continues the latest
//!    registered version.
//! 3. `watch`: its log and progress, until it ends. With `--detached`, `detached`
//!    stands in the place of steps 2 and 3: it trains here, and reports.
//! 4. `checkpoint`: the best one, which must hold a graph, is registered under the
//!    job's ID, then downloaded: what is registered is never collected.
//! 5. `whole`, `publish`: the package, the registry if there is one, then
//!    `model-info.yaml`.
//!
//! Every step looks before it acts, so that an attempt may end at any moment and
//! another goes on: one experiment, one version, one package. What is secret is in
//! `secrets`, and in no log, error or output.

mod adopt;
mod checkpoint;
mod code;
mod config;
mod detached;
mod linked;
mod options;
mod program;
mod publish;
mod secrets;
mod watch;
mod way;
mod whole;

use std::cell::Cell;
use std::time::Duration;

use ::determined::{Client, Experiment, ModelVersion, NewModel, NewVersion, Phase};
use anyhow::{Context, Result, anyhow, bail, ensure};
pub use options::{CheckpointFrom, DeterminedOptions, OnPause, OnSigterm};
use registry::Condition;
use serde_json::{Map, Value};
use tokio::signal::unix::{SignalKind, signal};

use self::checkpoint::CHECKPOINT;
use self::secrets::Secrets;
use self::way::Way;
use crate::job::Job;
use crate::progress::{step, warn};
use crate::publication::Out;
use crate::run::Publishing;
use crate::{Args, publication, subject};

/// How long cancelling may take before the process ends anyway: Kubernetes kills
/// 30 s after its signal.
const CANCEL_LIMIT: Duration = Duration::from_secs(15);

/// Trains on a Determined cluster; gives the result's text.
pub(crate) fn run(args: &Args) -> Result<String> {
    let out = args.training.out_folder();
    let former = publication::check(&out)?;
    let Some(version) = args.training.job_id.clone() else {
        bail!(
            "--engine determined needs the job's ID, by which a second attempt finds the experiment of the first: set PACH_JOB_ID or --job-id"
        );
    };
    let job = Job::new(&args.training, version);
    let condition = promote_if(args)?;
    let publishing = Publishing::new(args, &job, &out, former, condition)?;
    let publish_to = match &publishing {
        Publishing::Over(text) => return Ok(text.clone()),
        Publishing::To(registering) => Out {
            folder: &out,
            registering: registering.as_ref(),
        },
    };
    let checkpoint = out.join(CHECKPOINT);
    ensure!(
        checkpoint.symlink_metadata().is_err(),
        "{} is left over from a run that did not finish: remove it, and run this again",
        checkpoint.display()
    );
    let mut secrets = Secrets::default();
    // What others say may repeat what they were sent.
    train(args, &job, publish_to, &mut secrets)
        .map_err(|error| anyhow!("{}", secrets.mask(&format!("{error:#}"))))
}

/// That of the command line, or of the experiment file where this program trains.
fn promote_if(args: &Args) -> Result<Option<Condition>> {
    let options = &args.determined;
    match args.registry.condition()? {
        None if options.detached || options.sends_itself() => subject::promote_if(&args.training),
        condition => Ok(condition),
    }
}

fn train(args: &Args, job: &Job, out: Out<'_>, secrets: &mut Secrets) -> Result<String> {
    let client = Client::new(args.determined.settings(secrets)?)?;
    let way = Way::new(args, job, &client, secrets)?;
    let run = Run {
        args,
        job,
        client: &client,
        out,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let result = runtime.block_on(run.until_signal(way, secrets));
    // A download that was interrupted is not waited for.
    runtime.shutdown_background();
    result
}

struct Run<'a> {
    args: &'a Args,
    job: &'a Job,
    client: &'a Client,
    out: Out<'a>,
}

impl Run<'_> {
    async fn until_signal(&self, way: Way<'_>, secrets: &mut Secrets) -> Result<String> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
        let over = Cell::new(false);
        tokio::select! {
            result = self.whole(way, secrets, &over) => return result,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if over.get() {
            bail!(
                "stopped by a signal after the experiment has ended; a new attempt goes on from there"
            );
        }
        if self.args.determined.detached {
            bail!(
                "stopped by a signal; a new attempt of this job trains again, in the same experiment"
            );
        }
        if self.args.determined.on_sigterm == OnSigterm::Leave {
            bail!(
                "stopped by a signal; the experiment goes on, and a new attempt of this job takes it over (--on-sigterm cancel would cancel it)"
            );
        }
        match tokio::time::timeout(CANCEL_LIMIT, self.cancel()).await {
            Ok(Ok(())) => bail!("stopped by a signal; the experiment is cancelled"),
            Ok(Err(error)) => {
                Err(error.context("stopped by a signal; the experiment could not be cancelled"))
            }
            Err(_) => bail!(
                "stopped by a signal; the master did not answer for {} s, so the experiment may still run",
                CANCEL_LIMIT.as_secs()
            ),
        }
    }

    async fn cancel(&self) -> Result<()> {
        let labels = config::labels(self.job);
        for experiment in self.client.experiments_with_labels(&labels).await? {
            if matches!(experiment.state.phase(), Phase::InProgress | Phase::Paused) {
                self.client.cancel_experiment(experiment.id).await?;
                warn(&format!("cancelled experiment {}", experiment.id));
            }
        }
        Ok(())
    }

    async fn whole(
        &self,
        way: Way<'_>,
        secrets: &mut Secrets,
        over: &Cell<bool>,
    ) -> Result<String> {
        let config = secrets.masked(way.config());
        let version = match self.registered().await? {
            Some(version) => version,
            None => {
                let experiment = match way {
                    Way::Cluster(plan) => self.completed(plan.experiment().await?, secrets).await?,
                    Way::Detached(detached) => detached.experiment().await?,
                };
                over.set(true);
                let checkpoint = checkpoint::best(self.client, &experiment).await?;
                checkpoint::refuse_without_graph(&checkpoint)?;
                self.register(&checkpoint.uuid).await?
            }
        };
        over.set(true);
        let best = &version.checkpoint;
        checkpoint::refuse_without_graph(best)?;
        let (client, args, out) = (self.client, self.args, self.out.folder);
        let delivered =
            checkpoint::deliver(client, &args.determined, best, self.job, out, secrets).await?;
        publish::publish(self, &version, config, delivered).inspect_err(|_| {
            // Without the document it would be half a publication.
            let _ = std::fs::remove_dir_all(out.join(CHECKPOINT));
        })
    }

    /// The version that an earlier attempt of this job has registered.
    async fn registered(&self) -> Result<Option<ModelVersion>> {
        let (model, name) = (&self.job.model, &self.job.version);
        if self.client.model(model).await?.is_none() {
            return Ok(None);
        }
        let found = self.client.version_named(model, name).await?;
        if let Some(version) = &found {
            step(format_args!(
                "version {} of {model} is of this job already",
                version.version
            ));
        }
        Ok(found)
    }

    async fn completed(&self, found: Experiment, secrets: &Secrets) -> Result<Experiment> {
        if found.state.phase() == Phase::Completed {
            return Ok(self.client.experiment(found.id).await?);
        }
        step(format_args!(
            "following {}",
            watch::page(self.client, found.id)
        ));
        watch::wait(self.client, found.id, &self.args.determined, secrets).await
    }

    async fn register(&self, checkpoint: &str) -> Result<ModelVersion> {
        let job = self.job;
        let metadata = [("pipeline", &job.pipeline), ("repository", &job.repo)];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), Value::from(value.as_str())));
        let model = NewModel {
            name: job.model.clone(),
            labels: vec![job.pipeline.clone(), job.repo.clone()],
            metadata: Map::from_iter(metadata),
            ..NewModel::default()
        };
        self.client.ensure_model(&model).await?;
        let version = NewVersion {
            checkpoint_uuid: checkpoint.to_owned(),
            name: job.version.clone(),
            notes: format!("Job_id/commit_id = {}", job.version),
        };
        let version = self.client.ensure_version(&job.model, &version).await?;
        step(format_args!(
            "registered version {} of {}",
            version.version, job.model
        ));
        Ok(version)
    }
}
