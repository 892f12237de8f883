//! A job under way: its datums, its record, its commit.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Serialize;

use super::output::Output;
use super::settings::Settings;
use super::{Outcome, Runner, every_job, find};
use crate::descriptor::Descriptor;
use crate::interrupt;
use crate::local::datum::Datum;
use crate::local::publish;
use crate::local::repo::{self, Commit, Job, Processed, Provenance};
use crate::local::tree::Sources;

/// A job under way.
pub(super) struct Work<'a> {
    pub(super) runner: &'a Runner<'a>,
    pub(super) pipeline: &'a Descriptor,
    /// The ID of the job and of its commit.
    pub(super) id: String,
    pub(super) settings: Settings,
    /// The values of the secrets, by variable.
    pub(super) secrets: Vec<(String, String)>,
    /// The commits that are read.
    pub(super) inputs: Vec<Provenance>,
    /// Where the programs print to.
    pub(super) log: PathBuf,
    /// When `job_timeout` is over.
    pub(super) deadline: Option<Instant>,
    /// Seconds since 1970.
    pub(super) started: u64,
}

/// `job.json`.
#[derive(Debug, Serialize)]
struct Record<'a> {
    pipeline: &'a str,
    id: &'a str,
    state: &'static str,
    reason: Option<&'a str>,
    started: u64,
    finished: Option<u64>,
    inputs: &'a [Provenance],
    data_processed: usize,
    data_skipped: usize,
    data_failed: usize,
    data_total: usize,
}

impl Work<'_> {
    /// Processes `datums`, but for those that `head` holds already, and makes a
    /// commit of all output.
    pub(super) fn run(
        &self,
        datums: &[Datum<'_>],
        head: Option<&Commit>,
        program: String,
    ) -> Result<Outcome> {
        let mut output = Output::default();
        let record = |state, reason: Option<&str>, output: &Output| {
            self.record(state, reason, output, datums.len())
        };
        record("JOB_RUNNING", None, &output)?;
        let result = self.process_all(datums, head, &mut output);
        if interrupt::requested() {
            record("JOB_KILLED", Some("interrupted"), &output)?;
            bail!("interrupted");
        }
        if let Err(error) = result {
            let reason = format!("{error:#}");
            let state = if self.is_late() {
                "JOB_KILLED"
            } else {
                "JOB_FAILURE"
            };
            record(state, Some(&reason), &output)?;
            let log = self.log.clone();
            return Ok(Outcome::Failed { reason, log });
        }
        let job = Job {
            spec: self.settings.spec.clone(),
            program,
            inputs: self.inputs.clone(),
            datums: output.done.clone(),
        };
        let repo = self.runner.state.repo(self.pipeline.name());
        let commit = repo.commit(&self.id, &output.sources(), Some(job))?;
        record("JOB_SUCCESS", None, &output)?;
        publish::remove(&self.runner.state.scratch())?;
        Ok(Outcome::Success(Box::new(commit)))
    }

    fn process_all(
        &self,
        datums: &[Datum<'_>],
        head: Option<&Commit>,
        output: &mut Output,
    ) -> Result<()> {
        for datum in datums {
            if let Some((done, sources)) = head.and_then(|head| self.kept(datum, head)) {
                output.add(done, sources)?;
                continue;
            }
            match self.process(datum) {
                Ok((done, sources)) => {
                    output.processed += 1;
                    output.add(done, sources)?;
                }
                Err(_) if interrupt::requested() => bail!("interrupted"),
                Err(error) => output
                    .failed
                    .push(format!("datum {}: {error:#}", datum.id())),
            }
        }
        match &output.failed[..] {
            [] => Ok(()),
            [only] => bail!("{only}"),
            [first, ..] => bail!("{} datums failed; {first}", output.failed.len()),
        }
    }

    /// What `head` holds of a datum that need not be processed again.
    fn kept(&self, datum: &Datum<'_>, head: &Commit) -> Option<(Processed, Sources)> {
        if every_job(self.pipeline) {
            return None;
        }
        let done = find(&head.job.as_ref()?.datums, datum, &self.settings.salt)?;
        let files = self.runner.state.repo(self.pipeline.name()).files(&head.id);
        let sources = done.files.iter();
        let sources = sources.map(|name| (name.clone(), files.join(name)));
        Some((done.clone(), sources.collect()))
    }

    /// Whether `job_timeout` is over.
    pub(super) fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn record(
        &self,
        state: &'static str,
        reason: Option<&str>,
        output: &Output,
        total: usize,
    ) -> Result<()> {
        let record = Record {
            pipeline: self.pipeline.name(),
            id: &self.id,
            state,
            reason,
            started: self.started,
            finished: (state != "JOB_RUNNING").then(repo::now),
            inputs: &self.inputs,
            data_processed: output.processed,
            data_skipped: output.done.len() - output.processed,
            data_failed: output.failed.len(),
            data_total: total,
        };
        publish::write_json(&self.log.with_file_name("job.json"), &record)
    }
}
