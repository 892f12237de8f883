//! Runs a pipeline over the heads of its input repos: one job.

mod attempt;
mod output;
mod settings;
mod work;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use self::settings::Settings;
use self::work::Work;
use super::datum::{Datum, datums};
use super::launch::Launcher;
use super::repo::{self, Commit, Processed, Provenance};
use super::secrets::Secrets;
use super::state::State;
use crate::descriptor::{self, Descriptor};

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
    /// Every datum was processed before.
    Skipped {
        head: Box<Commit>,
        /// The program or the descriptor is another than the one that ran.
        changed: bool,
    },
    /// A new commit.
    Success(Box<Commit>),
    /// Datums failed; there is no commit.
    Failed { reason: String, log: PathBuf },
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
        let datums = datums(&pipeline.spec.input, &|repo| commits.get(repo));
        let output = self.state.repo(pipeline.name());
        let head = output.head()?;
        let program = self.launcher.identity(&pipeline.spec.transform.image)?;
        if let Some(head) = unchanged(head.as_ref(), &datums, pipeline, &settings.salt) {
            let job = head.job.as_ref();
            let changed =
                job.is_some_and(|job| job.program != program || job.spec != settings.spec);
            let head = Box::new(head.clone());
            return Ok(Outcome::Skipped { head, changed });
        }
        // The event of a killed run may have made a commit of the descriptor before.
        let is_taken = head.as_ref().is_some_and(|head| head.id == self.id);
        let id = if is_taken {
            repo::new_id()
        } else {
            self.id.to_owned()
        };
        let provenance = |(repo, commit): (&String, &Commit)| Provenance {
            repo: repo.clone(),
            commit: commit.id.clone(),
        };
        let work = Work {
            runner: self,
            pipeline,
            secrets: self.secrets.variables(&pipeline.spec.transform.secrets)?,
            inputs: commits.iter().map(provenance).collect(),
            log: self.state.job(pipeline.name(), &id).join("log"),
            id,
            deadline: deadline(pipeline.spec.job_timeout.as_deref()),
            started: repo::now(),
            settings,
        };
        announce(&work.log);
        work.run(&datums, head.as_ref(), program)
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

/// The head, if it was made of exactly these datums.
fn unchanged<'a>(
    head: Option<&'a Commit>,
    datums: &[Datum<'_>],
    pipeline: &Descriptor,
    salt: &str,
) -> Option<&'a Commit> {
    let head = head?;
    let processed = &head.job.as_ref()?.datums;
    let is_processed = |datum: &Datum<'_>| find(processed, datum, salt).is_some();
    let same = datums.len() == processed.len() && datums.iter().all(is_processed);
    (same && !every_job(pipeline)).then_some(head)
}

fn every_job(pipeline: &Descriptor) -> bool {
    pipeline.spec.reprocess_spec.as_deref() == Some("every_job")
}

fn find<'a>(processed: &'a [Processed], datum: &Datum<'_>, salt: &str) -> Option<&'a Processed> {
    let (id, hash) = (datum.id(), datum.hash(salt));
    processed
        .iter()
        .find(|done| done.id == id && done.hash == hash)
}

fn deadline(timeout: Option<&str>) -> Option<Instant> {
    Instant::now().checked_add(descriptor::seconds(timeout?)?)
}
