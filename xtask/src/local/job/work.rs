//! A job under way: its datums, its record, its commit.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};

use super::output::{Done, Keyed, Output};
use super::record::Record;
use super::settings::Settings;
use super::{Finished, Outcome, Runner};
use crate::descriptor::Descriptor;
use crate::interrupt;
use crate::local::publish;
use crate::local::repo::{Commit, Job, Processed, Provenance};
use crate::local::tree::Tree;
use crate::secrets::Mount;

/// A job under way.
pub(super) struct Work<'a> {
    pub(super) runner: &'a Runner<'a>,
    pub(super) pipeline: &'a Descriptor,
    /// The ID of the job and of its commit.
    pub(super) id: String,
    pub(super) settings: Settings,
    /// The values of the secrets, by variable.
    pub(super) secrets: Vec<(String, String)>,
    /// The secrets that are folders.
    pub(super) mounts: Vec<Mount>,
    /// The commits that are read.
    pub(super) inputs: Vec<Provenance>,
    /// The files of the last successful output, where there is one.
    pub(super) last: Option<PathBuf>,
    /// Where the programs print to.
    pub(super) log: PathBuf,
    /// When `job_timeout` is over.
    pub(super) deadline: Option<Instant>,
    /// Seconds since 1970.
    pub(super) started: u64,
}

impl Work<'_> {
    /// Processes `datums`, but for those that `head` holds already, and makes a
    /// commit of all output.
    pub(super) fn run(
        &self,
        datums: &[Keyed<'_>],
        head: Option<&Commit>,
        program: String,
    ) -> Result<Outcome> {
        let mut output = Output::default();
        let record = |state, reason: Option<String>, output: &Output| {
            self.record(state, reason, output, datums.len())
        };
        record("JOB_RUNNING", None, &output)?;
        let result = self.process_all(datums, head, &mut output);
        if interrupt::requested() {
            record("JOB_KILLED", Some("interrupted".to_owned()), &output)?;
            bail!("interrupted");
        }
        if let Err(error) = result {
            let reason = format!("{error:#}");
            let state = if self.is_late() {
                "JOB_KILLED"
            } else {
                "JOB_FAILURE"
            };
            record(state, Some(reason.clone()), &output)?;
            let log = self.log.clone();
            return Ok(Outcome::Failed { reason, log });
        }
        let job = Job {
            spec: self.settings.spec.clone(),
            salt: self.settings.salt.clone(),
            program,
            inputs: self.inputs.clone(),
            datums: output.done.clone(),
        };
        let repo = self.runner.state.repo(self.pipeline.name());
        let commit = repo.commit(&self.id, output.tree(), Some(job))?;
        record("JOB_SUCCESS", None, &output)?;
        publish::remove(&self.runner.state.scratch())?;
        Ok(Outcome::Success(Box::new(Finished {
            commit,
            processed: output.processed,
            skipped: output.done.len() - output.processed,
            recovered: output.recovered.len(),
        })))
    }

    fn process_all(
        &self,
        datums: &[Keyed<'_>],
        head: Option<&Commit>,
        output: &mut Output,
    ) -> Result<()> {
        let kept = self.kept(datums, head);
        let todo = datums.iter().filter(|datum| !kept.contains_key(&*datum.id));
        let mut done = self.in_parallel(&todo.collect::<Vec<_>>());
        for datum in datums {
            if let Some((before, files)) = kept.get(&*datum.id) {
                output.add((*before).clone(), files.clone())?;
                continue;
            }
            match done.remove(&*datum.id) {
                Some(Ok(Done::Output(processed, files))) => {
                    output.add(processed, files)?;
                    output.processed += 1;
                }
                Some(Ok(Done::Recovered)) => output.recovered.push(datum.id.clone()),
                Some(Err(error)) => output.failed.push((datum.id.clone(), format!("{error:#}"))),
                None => {}
            }
        }
        match &output.failed[..] {
            _ if interrupt::requested() => bail!("interrupted"),
            [] if self.is_late() && output.done.len() < datums.len() => {
                bail!("the time of the job was up")
            }
            [] => Ok(()),
            [(id, why)] => bail!("datum {id} failed: {why}"),
            [(id, why), ..] => {
                bail!("{} datums failed; datum {id}: {why}", output.failed.len())
            }
        }
    }

    /// Processes datums that do not depend on each other, as many at once as the
    /// descriptor has workers and the machine has cores.
    fn in_parallel<'d>(&self, todo: &[&'d Keyed<'_>]) -> BTreeMap<&'d str, Result<Done>> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let workers = self.pipeline.spec.parallelism_spec.workers();
        let workers = workers.min(cores).min(todo.len());
        let next = AtomicUsize::new(0);
        let all = Mutex::new(BTreeMap::new());
        let work = || {
            while let Some(datum) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                if interrupt::requested() || self.is_late() {
                    break;
                }
                let done = self.process(datum);
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(datum.id.as_str(), done);
            }
        };
        thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(work);
            }
            work();
        });
        all.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `head` holds of the datums that need not be processed again, by ID.
    fn kept<'h>(
        &self,
        datums: &[Keyed<'_>],
        head: Option<&'h Commit>,
    ) -> HashMap<&'h str, (&'h Processed, Tree)> {
        let every_job = self.pipeline.spec.reprocess_spec.as_deref() == Some("every_job");
        let job = head.and_then(|head| head.job.as_ref().map(|job| (head, job)));
        let Some((head, job)) = job.filter(|_| !every_job) else {
            return HashMap::new();
        };
        let hashes = datums.iter().map(|datum| (&*datum.id, &*datum.hash));
        let hashes: HashMap<&str, &str> = hashes.collect();
        let same = |done: &&Processed| hashes.get(&*done.id) == Some(&&*done.hash);
        let with_files = |done: &'h Processed| {
            let files = done.files.iter();
            let files =
                files.filter_map(|name| Some((name.clone(), head.files.get(name)?.clone())));
            (&*done.id, (done, files.collect()))
        };
        job.datums.iter().filter(same).map(with_files).collect()
    }

    /// Whether `job_timeout` is over.
    pub(super) fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn record(
        &self,
        state: &str,
        reason: Option<String>,
        output: &Output,
        total: usize,
    ) -> Result<()> {
        let mut record = Record::new(self.pipeline.name(), &self.id, state, self.started);
        record.reason = reason;
        record.inputs.clone_from(&self.inputs);
        record.data_processed = output.processed;
        record.data_skipped = output.done.len() - output.processed;
        record.data_failed = output.failed.len();
        record.data_recovered = output.recovered.len();
        record.data_total = total;
        record.failed = output.failed.iter().cloned().collect();
        record.recovered.clone_from(&output.recovered);
        record.write(&self.log.with_file_name("job.json"))
    }
}
