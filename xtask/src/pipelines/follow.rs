//! Follows jobs to their end. Their state is what counts: pachctl exits with 0
//! for a failed job too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::job::Job;
use super::pachctl::Pachctl;
use crate::interrupt;
use crate::report;

/// How long to wait before the cluster is asked again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// A pipeline and the jobs of it that matter.
pub(super) struct Watched<'a> {
    pub(super) pipeline: &'a str,
    pub(super) project: Option<&'a str>,
    pub(super) which: Which,
}

/// Which jobs of a pipeline.
pub(super) enum Which {
    /// All but these, of the newest version: an update kills the older ones.
    New(BTreeSet<String>),
    Newest,
    Id(String),
}

impl Which {
    fn choose(&self, jobs: Vec<Job>) -> Vec<Job> {
        let newest = jobs.iter().map(|job| job.version).max();
        let mut jobs = jobs;
        match self {
            Self::New(before) => {
                jobs.retain(|job| !before.contains(&job.id) && Some(job.version) == newest);
            }
            Self::Newest => jobs.truncate(1),
            Self::Id(id) => jobs.retain(|job| job.id == *id),
        }
        jobs
    }
}

/// Waits until each pipeline has such a job and all of them have ended, and
/// prints what they print.
///
/// # Errors
/// When the time is over, or a pipeline cannot run any more.
pub(super) fn follow(
    pachctl: &Pachctl,
    watched: &[Watched<'_>],
    limit: Duration,
) -> Result<Vec<Job>> {
    let start = Instant::now();
    let mut pause = PAUSES.0;
    let mut told = Told::default();
    loop {
        let mut all = Vec::new();
        let mut waiting = Vec::new();
        for one in watched {
            let jobs = one.which.choose(pachctl.jobs(one.pipeline, one.project)?);
            if jobs.is_empty() || !jobs.iter().all(Job::ended) {
                waiting.push(one);
            }
            for job in jobs {
                told.tell(pachctl, &job, one.project);
                all.push((one.project, job));
            }
        }
        if waiting.is_empty() {
            return finished(pachctl, all);
        }
        for one in &waiting {
            broken(pachctl, one)?;
        }
        let names: Vec<&str> = waiting.iter().map(|one| one.pipeline).collect();
        let names = names.join(", ");
        if interrupt::requested() {
            bail!("interrupted; the jobs go on: cargo xtask pipelines wait follows them");
        }
        if start.elapsed() > limit {
            bail!(
                "{names} did not end within {} s (--timeout sets it); the jobs go on: \
                 cargo xtask pipelines wait follows them",
                limit.as_secs()
            );
        }
        let seconds = start.elapsed().as_secs();
        report::progress("Waiting", format_args!("for {names} ({seconds} s)"));
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
}

/// A job counts as done when its output can be read.
fn finished(pachctl: &Pachctl, jobs: Vec<(Option<&str>, Job)>) -> Result<Vec<Job>> {
    let mut finished = Vec::new();
    for (project, mut job) in jobs {
        if job.succeeded()
            && let Some(error) = pachctl.commit_error(&job, project)?
        {
            job.state = "JOB_FAILURE".to_owned();
            job.reason = format!("its output commit has the error: {error}");
        }
        finished.push(job);
    }
    Ok(finished)
}

/// Ends the waiting for a pipeline that runs no job any more.
fn broken(pachctl: &Pachctl, one: &Watched<'_>) -> Result<()> {
    let info = pachctl.inspect(one.pipeline, one.project)?;
    let text = |key: &str| info.get(key).and_then(serde_json::Value::as_str);
    if text("state") == Some("PIPELINE_FAILURE") {
        bail!(
            "{} is in PIPELINE_FAILURE: {}; correct its descriptor and apply it again",
            one.pipeline,
            text("reason").unwrap_or("no reason is given")
        );
    }
    Ok(())
}

/// What has been printed of each job.
#[derive(Default)]
struct Told {
    states: BTreeMap<(String, String), String>,
    lines: BTreeMap<(String, String), usize>,
}

impl Told {
    /// Prints a line for each new state, and the lines that are new in the log.
    fn tell(&mut self, pachctl: &Pachctl, job: &Job, project: Option<&str>) {
        let key = (job.pipeline.clone(), job.id.clone());
        let before = self.states.insert(key.clone(), job.state.clone());
        if before.as_ref() == Some(&job.state) && job.ended() {
            return;
        }
        let log = pachctl.logs(job, project).unwrap_or_default();
        let told = self.lines.entry(key).or_default();
        for line in log.lines().skip(*told) {
            report::status(&job.pipeline, line);
        }
        *told = log.lines().count().max(*told);
        if before.as_ref() != Some(&job.state) {
            let state = job.state.trim_start_matches("JOB_").to_lowercase();
            report::status("Job", format_args!("{}@{}: {state}", job.pipeline, job.id));
        }
    }
}

/// A line for each job on stdout.
pub(super) fn print(jobs: &[Job]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    for job in jobs {
        writeln!(stdout, "{}@{}  {}", job.pipeline, job.id, job.summary())?;
    }
    Ok(())
}

/// Whether all have succeeded.
pub(super) fn verdict(jobs: &[Job]) -> Result<ExitCode> {
    let failed: Vec<&Job> = jobs.iter().filter(|job| !job.succeeded()).collect();
    for job in &failed {
        report::error(format_args!(
            "{}@{}: {}; its log: pachctl logs -j {}@{}",
            job.pipeline,
            job.id,
            job.summary(),
            job.pipeline,
            job.id
        ));
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{} did not succeed", report::count(failed.len(), "job"))
}
