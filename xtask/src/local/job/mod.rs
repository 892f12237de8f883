//! Runs a pipeline over the heads of its input repos: one job.

mod attempt;
mod collect;
#[cfg(test)]
mod incremental;
mod input;
mod output;
mod record;
mod settings;
mod work;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use self::output::Keyed;
pub(super) use self::record::Record;
use self::settings::Settings;
use self::work::Work;
use super::datum::datums;
use super::launch::Launcher;
use super::repo::{self, Commit, Job, Provenance};
use super::state::State;
use crate::descriptor::{self, Descriptor};
use crate::secrets::Secrets;

/// What jobs are run with.
#[derive(Debug)]
pub(super) struct Runner<'a> {
    pub(super) state: &'a State,
    pub(super) launcher: &'a Launcher,
    pub(super) secrets: &'a Secrets,
    pub(super) use_case: &'a str,
    /// The ID of the event, and so of all its jobs and commits.
    pub(super) id: &'a str,
}

/// What became of a pipeline.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing that a job would be made for: no new commit, no new descriptor.
    Skipped {
        head: Box<Commit>,
        /// The program is another than the one that ran.
        changed: bool,
    },
    /// A new commit.
    Success(Box<Finished>),
    /// Datums failed; there is no commit.
    Failed { reason: String, log: PathBuf },
}

/// What a job has made.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) commit: Commit,
    /// How many datums were processed now.
    pub(super) processed: usize,
    /// How many were processed before.
    pub(super) skipped: usize,
    /// How many failed, and were recovered by `err_cmd`.
    pub(super) recovered: usize,
}

impl Runner<'_> {
    /// Processes the datums of `pipeline` that were not processed before.
    ///
    /// # Errors
    ///
    /// When the job cannot be run at all, as when an input has no commit, or the
    /// user interrupts it. A failing program is an [`Outcome`].
    pub(super) fn run(
        &self,
        pipeline: &Descriptor,
        reprocess: bool,
        announce: impl FnOnce(&Path),
    ) -> Result<Outcome> {
        let settings = Settings::of(self.state, pipeline, reprocess)?;
        let commits = self.input_commits(pipeline)?;
        let inputs = provenance(&commits);
        let output = self.state.repo(pipeline.name());
        let head = output.head()?;
        let program = self.launcher.identity(&pipeline.spec.transform.image)?;
        if let Some((head, job)) = up_to_date(head.as_ref(), &inputs, pipeline, &settings) {
            let changed = job.program != program;
            let head = Box::new(head.clone());
            return Ok(Outcome::Skipped { head, changed });
        }
        let datums = datums(&pipeline.spec.input, &|repo| commits.get(repo))?;
        // The event of a killed run may have made a commit of the descriptor before.
        let is_taken = head.as_ref().is_some_and(|head| head.id == self.id);
        let id = if is_taken {
            repo::new_id()
        } else {
            self.id.to_owned()
        };
        let work = Work {
            runner: self,
            pipeline,
            secrets: self.secrets.variables(&pipeline.spec.transform.secrets)?,
            mounts: self.secrets.mounts(&pipeline.spec.transform.secrets)?,
            inputs,
            last: head.as_ref().map(|head| output.files(&head.id)),
            log: self.state.job(pipeline.name(), &id).join("log"),
            id,
            deadline: in_seconds(pipeline.spec.job_timeout.as_deref()),
            started: repo::now(),
            settings,
        };
        announce(&work.log);
        let keyed = datums.iter().map(|datum| Keyed {
            datum,
            id: datum.id(),
            hash: datum.hash(&work.settings.salt),
        });
        work.run(&keyed.collect::<Vec<_>>(), head.as_ref(), program)
    }

    /// Records that the job of a pipeline cannot run, as its input has failed.
    pub(super) fn unrunnable(&self, pipeline: &Descriptor, input: &str) -> Result<()> {
        let now = repo::now();
        let mut record = Record::new(pipeline.name(), self.id, "JOB_UNRUNNABLE", now);
        record.reason = Some(format!("the job of {input} failed"));
        let folder = self.state.job(pipeline.name(), self.id);
        record.write(&folder.join("job.json"))
    }

    fn input_commits(&self, pipeline: &Descriptor) -> Result<BTreeMap<String, Commit>> {
        let leaves = pipeline.spec.input.leaves();
        let repos = leaves.iter().map(|input| &input.repo);
        let read = |name: &String| {
            let head = self.state.repo(name).head()?;
            let head = head.with_context(|| format!("the repo {name} has no commit yet"))?;
            Ok((name.clone(), head))
        };
        repos.map(read).collect()
    }
}

fn provenance(commits: &BTreeMap<String, Commit>) -> Vec<Provenance> {
    let inputs = commits.iter().map(|(repo, commit)| Provenance {
        repo: repo.clone(),
        commit: commit.id.clone(),
    });
    inputs.collect()
}

/// The head and its job, if nothing has come since that makes a job: a commit of an
/// input that propagates, another descriptor, or the wish to reprocess.
fn up_to_date<'a>(
    head: Option<&'a Commit>,
    inputs: &[Provenance],
    pipeline: &Descriptor,
    settings: &Settings,
) -> Option<(&'a Commit, &'a Job)> {
    let head = head?;
    let job = head.job.as_ref()?;
    let leaves = pipeline.spec.input.leaves();
    let counts = |input: &&Provenance| {
        let mut leaves = leaves.iter().filter(|leaf| leaf.repo == input.repo);
        leaves.any(|leaf| leaf.propagates())
    };
    let same = job
        .inputs
        .iter()
        .filter(counts)
        .eq(inputs.iter().filter(counts));
    (same && job.spec == settings.spec && job.salt == settings.salt).then_some((head, job))
}

/// The time that is over in so many seconds, `"1800s"`.
fn in_seconds(timeout: Option<&str>) -> Option<Instant> {
    Instant::now().checked_add(descriptor::seconds(timeout?)?)
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}
