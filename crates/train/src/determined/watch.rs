//! Following the experiment to its end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use determined::{Client, Event, Experiment, FollowOptions, Job, Phase, State};

use super::options::{DeterminedOptions, OnPause};
use super::secrets::Secrets;
use crate::progress::{step, warn};

/// How often something that lasts is said again.
const REMINDER: Duration = Duration::from_secs(600);
/// The progress that is worth a line.
const TENTH: f64 = 0.1;

/// Waits for the end of an experiment, with its log on standard error. An
/// experiment that did not complete is an error.
pub(super) async fn wait(
    client: &Client,
    id: i64,
    options: &DeterminedOptions,
    secrets: &Secrets,
) -> Result<Experiment> {
    let follow_options = FollowOptions {
        interval: options.poll,
        ..FollowOptions::default()
    };
    let mut follow = client.follow(id, follow_options);
    let mut watch = Watch::new(client, options);
    let mut last = None;
    while let Some(event) = follow.next().await? {
        match event {
            Event::Log(line) => step(format_args!(
                "[trial {}] {}",
                line.trial_id,
                secrets.mask(line.text())
            )),
            Event::Looked(now, job) => {
                watch.looked(&now, job).await?;
                last = Some(now);
            }
            Event::LogLost { trial, error } => warn(&format!(
                "the log of trial {trial} cannot be read further: {error}; training goes on"
            )),
            Event::Away(error) if !watch.away => {
                watch.away = true;
                warn(&format!("{error}; waiting for the master"));
            }
            _ => {}
        }
    }
    match last {
        Some(experiment) => watch.ended(*experiment),
        None => bail!("experiment {id} was never seen"),
    }
}

struct Watch<'a> {
    client: &'a Client,
    options: &'a DeterminedOptions,
    state: State,
    progress: f64,
    /// Since when it is queued or paused, and when that was last said.
    waiting: Option<(Instant, Instant)>,
    away: bool,
}

impl<'a> Watch<'a> {
    fn new(client: &'a Client, options: &'a DeterminedOptions) -> Self {
        Self {
            client,
            options,
            state: State::Unspecified,
            progress: 0.0,
            waiting: None,
            away: false,
        }
    }

    async fn looked(&mut self, now: &Experiment, job: Option<Job>) -> Result<()> {
        self.away = false;
        if now.state != self.state {
            step(format_args!("experiment {} is {}", now.id, now.state));
            self.state = now.state.clone();
            self.waiting = None;
        }
        match now.state.phase() {
            Phase::Paused => self.paused(now),
            Phase::InProgress if now.state == State::Queued => self.queued(now, job).await,
            _ => {
                self.tell_progress(now);
                Ok(())
            }
        }
    }

    fn tell_progress(&mut self, now: &Experiment) {
        let Some(progress) = now.progress.filter(|p| *p >= self.progress + TENTH) else {
            return;
        };
        self.progress = progress;
        step(format_args!(
            "experiment {}: {:.0} %",
            now.id,
            progress * 100.0
        ));
    }

    fn paused(&mut self, now: &Experiment) -> Result<()> {
        let page = page(self.client, now.id);
        if self.options.on_pause == OnPause::Fail {
            bail!(
                "experiment {} is paused: activate it at {page} and run this again, or give --on-pause wait",
                now.id
            );
        }
        if self.is_due() {
            warn(&format!(
                "experiment {} is paused; waiting until it is activated at {page}",
                now.id
            ));
        }
        Ok(())
    }

    async fn queued(&mut self, now: &Experiment, job: Option<Job>) -> Result<()> {
        if self.is_due() {
            let ahead = job.map_or(0, |job| job.jobs_ahead);
            step(format_args!(
                "experiment {} waits for resources, {ahead} jobs before it",
                now.id
            ));
        }
        let since = self.waiting.map(|(since, _)| since.elapsed());
        let (Some(limit), Some(since)) = (self.options.queue_limit, since) else {
            return Ok(());
        };
        if since < limit {
            return Ok(());
        }
        self.client.cancel_experiment(now.id).await?;
        bail!(
            "experiment {} waited longer than {} for resources and is cancelled: raise --queue-limit, or ask for fewer slots in resources.slots_per_trial",
            now.id,
            humantime::format_duration(limit)
        )
    }

    /// Whether to say that it waits: at first, and then from time to time.
    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let (since, said) = self.waiting.unwrap_or((now, now));
        let due = self.waiting.is_none() || now.duration_since(said) >= REMINDER;
        self.waiting = Some((since, if due { now } else { said }));
        due
    }

    fn ended(&self, experiment: Experiment) -> Result<Experiment> {
        let (id, page) = (experiment.id, page(self.client, experiment.id));
        match experiment.state {
            State::Completed => Ok(experiment),
            State::Canceled => {
                bail!("experiment {id} was cancelled (see {page}); a new attempt creates another")
            }
            State::Error => bail!(
                "experiment {id} failed: its log is above, and at {page}; a new attempt creates another"
            ),
            state => bail!("experiment {id} is {state} (see {page})"),
        }
    }
}

/// Where a person looks at an experiment.
pub(super) fn page(client: &Client, id: i64) -> String {
    format!("{}/det/experiments/{id}", client.address())
}
