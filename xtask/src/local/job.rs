//! Runs a pipeline over the heads of its input repos: one job.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::datum::{Datum, datums};
use super::launch::{Call, Launcher};
use super::process::{End, Process};
use super::publish;
use super::repo::{self, Commit, Job, Processed, Provenance};
use super::secrets::Secrets;
use super::state::State;
use super::tree::{self, Sources};
use crate::descriptor::{self, DEFAULT_PROJECT, Descriptor};

/// How often a datum is tried where the descriptor does not say.
const DATUM_TRIES: u32 = 3;

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

/// What a pipeline keeps between jobs.
#[derive(Debug, Serialize, Deserialize)]
struct Settings {
    /// Part of every datum's hash; a new one lets every datum run again.
    salt: String,
    /// The ID of the event that brought the descriptor.
    spec_commit: String,
    /// The SHA-256 of the descriptor.
    spec: String,
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

/// A job under way.
struct Work<'a> {
    runner: &'a Runner<'a>,
    pipeline: &'a Descriptor,
    settings: Settings,
    secrets: Vec<(String, String)>,
    inputs: Vec<Provenance>,
    log: PathBuf,
    deadline: Option<Instant>,
}

/// What has been made of the datums so far.
#[derive(Default)]
struct Progress {
    done: Vec<Processed>,
    /// Where each output file lies, and the datum that made it.
    files: BTreeMap<String, (PathBuf, String)>,
    processed: usize,
    failed: Vec<String>,
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
        let settings = self.settings(pipeline, reprocess)?;
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
        let folder = self.state.job(pipeline.name(), self.id);
        let provenance = |(repo, commit): (&String, &Commit)| Provenance {
            repo: repo.clone(),
            commit: commit.id.clone(),
        };
        let work = Work {
            runner: self,
            pipeline,
            secrets: self.secret_values(pipeline)?,
            inputs: commits.iter().map(provenance).collect(),
            log: folder.join("log"),
            deadline: deadline(pipeline.spec.job_timeout.as_deref()),
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

    /// The salt and spec commit, new ones where the descriptor or the wish says so.
    fn settings(&self, pipeline: &Descriptor, reprocess: bool) -> Result<Settings> {
        let path = self.state.pipeline(pipeline.name());
        let spec = tree::digest_text(&pipeline.fields.to_string());
        let before: Option<Settings> = match fs::read_to_string(&path) {
            Ok(text) => {
                Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?)
            }
            Err(_) => None,
        };
        let settings = match before {
            Some(settings) if settings.spec == spec && !reprocess => return Ok(settings),
            Some(settings) if !reprocess => Settings {
                spec,
                spec_commit: repo::new_id(),
                ..settings
            },
            _ => Settings {
                salt: repo::new_id(),
                spec_commit: repo::new_id(),
                spec,
            },
        };
        publish::write_json(&path, &settings)?;
        Ok(settings)
    }

    fn secret_values(&self, pipeline: &Descriptor) -> Result<Vec<(String, String)>> {
        let mut values = Vec::new();
        for secret in &pipeline.spec.transform.secrets {
            if let (Some(variable), Some(key)) = (&secret.env_var, &secret.key) {
                values.push((variable.clone(), self.secrets.get(&secret.name, key)?));
            }
        }
        Ok(values)
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

impl Work<'_> {
    fn run(&self, datums: &[Datum<'_>], head: Option<&Commit>, program: String) -> Result<Outcome> {
        let started = repo::now();
        let mut progress = Progress::default();
        self.record("JOB_RUNNING", None, started, &progress, datums.len())?;
        let result = self.process_all(datums, head, &mut progress);
        let reason = result.err().map(|error| format!("{error:#}"));
        if crate::interrupt::requested() {
            self.record(
                "JOB_KILLED",
                Some("interrupted"),
                started,
                &progress,
                datums.len(),
            )?;
            bail!("interrupted");
        }
        if let Some(reason) = reason {
            self.record(
                "JOB_FAILURE",
                Some(&reason),
                started,
                &progress,
                datums.len(),
            )?;
            let log = self.log.clone();
            return Ok(Outcome::Failed { reason, log });
        }
        let job = Job {
            spec: self.settings.spec.clone(),
            program,
            inputs: self.inputs.clone(),
            datums: progress.done.clone(),
        };
        let files = progress.files.iter();
        let sources: Sources = files
            .map(|(name, (path, _))| (name.clone(), path.clone()))
            .collect();
        let repo = self.runner.state.repo(self.pipeline.name());
        let commit = repo.commit(self.runner.id, &sources, Some(job))?;
        self.record("JOB_SUCCESS", None, started, &progress, datums.len())?;
        publish::remove(&self.runner.state.scratch())?;
        Ok(Outcome::Success(Box::new(commit)))
    }

    fn process_all(
        &self,
        datums: &[Datum<'_>],
        head: Option<&Commit>,
        progress: &mut Progress,
    ) -> Result<()> {
        let processed = head.and_then(|head| Some((head, &head.job.as_ref()?.datums)));
        for datum in datums {
            let before = processed.and_then(|(head, processed)| {
                let found = find(processed, datum, &self.settings.salt)?;
                (!every_job(self.pipeline)).then_some((head, found))
            });
            if let Some((head, before)) = before {
                let files = self.runner.state.repo(self.pipeline.name()).files(&head.id);
                let paths = before.files.iter();
                let sources = paths.map(|name| (name.clone(), files.join(name))).collect();
                progress.add(before.clone(), sources)?;
                continue;
            }
            match self.process(datum) {
                Ok((done, sources)) => {
                    progress.processed += 1;
                    progress.add(done, sources)?;
                }
                Err(_) if crate::interrupt::requested() => bail!("interrupted"),
                Err(error) => progress
                    .failed
                    .push(format!("datum {}: {error:#}", datum.id())),
            }
        }
        match &progress.failed[..] {
            [] => Ok(()),
            [only] => bail!("{only}"),
            [first, ..] => bail!("{} datums failed; {first}", progress.failed.len()),
        }
    }

    /// Starts the program on one datum until it succeeds or the tries are used up.
    fn process(&self, datum: &Datum<'_>) -> Result<(Processed, Sources)> {
        let id = datum.id();
        let scratch = self.runner.state.scratch().join(&id);
        let tries = self.pipeline.spec.datum_tries.unwrap_or(DATUM_TRIES).max(1);
        let mut attempt = 1;
        loop {
            match self.attempt(datum, &scratch) {
                Ok(()) => break,
                Err(error) if attempt >= tries || crate::interrupt::requested() => {
                    publish::remove(&scratch)?;
                    return Err(error);
                }
                Err(_) => attempt += 1,
            }
        }
        let sources = tree::list(&scratch.join("pfs/out"))?;
        let done = Processed {
            hash: datum.hash(&self.settings.salt),
            job: self.runner.id.to_owned(),
            files: sources.keys().cloned().collect(),
            id,
        };
        Ok((done, sources))
    }

    fn attempt(&self, datum: &Datum<'_>, scratch: &Path) -> Result<()> {
        publish::remove(scratch)?;
        let pfs = scratch.join("pfs");
        for part in &datum.parts {
            let target = pfs.join(part.input.name());
            let files = self
                .runner
                .state
                .repo(&part.input.repo)
                .files(&part.commit.id);
            tree::lend(&files, &part.commit.files, &part.path, &target)?;
        }
        fs::create_dir_all(pfs.join("out"))?;
        let transform = &self.pipeline.spec.transform;
        let id = datum.id();
        let short = |id: &str| id.chars().take(8).collect::<String>();
        let stdin = transform
            .stdin
            .iter()
            .map(|line| format!("{line}\n"))
            .collect();
        let call = Call {
            image: &transform.image,
            cmd: &transform.cmd,
            env: self.environment(datum, &pfs),
            working_dir: transform.working_dir.as_deref(),
            pfs: &pfs,
            name: format!(
                "{}-{}-{}-{}",
                self.runner.use_case,
                self.pipeline.name(),
                short(self.runner.id),
                short(&id)
            ),
            stdin,
        };
        let start = self.runner.launcher.start(call)?;
        let timeout = deadline(self.pipeline.spec.datum_timeout.as_deref());
        let deadline = [timeout, self.deadline].into_iter().flatten().min();
        let process = Process::start(start, &self.log, &self.runner.state.job_processes())?;
        match process.wait(deadline)? {
            End::Exited(status) if self.is_accepted(status.code()) => Ok(()),
            End::Exited(status) => bail!("the program ended with {status}"),
            End::TimedOut => bail!("the program was killed: its time was up"),
            End::Interrupted => bail!("interrupted"),
        }
    }

    fn is_accepted(&self, code: Option<i32>) -> bool {
        let accepted = &self.pipeline.spec.transform.accept_return_code;
        code.is_some_and(|code| code == 0 || accepted.contains(&code))
    }

    /// The environment of a Pachyderm worker. Later entries win.
    fn environment(&self, datum: &Datum<'_>, pfs: &Path) -> Vec<(String, String)> {
        let seen = if matches!(self.runner.launcher, Launcher::Docker) {
            Path::new("/pfs")
        } else {
            pfs
        };
        let owned = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let transform = &self.pipeline.spec.transform;
        let mut env: Vec<(String, String)> = transform.env.clone().into_iter().collect();
        env.extend(self.secrets.iter().cloned());
        env.extend([
            owned("PPS_PIPELINE_NAME", self.pipeline.name()),
            owned("PPS_PROJECT_NAME", DEFAULT_PROJECT),
            owned("PPS_SPEC_COMMIT", &self.settings.spec_commit),
            owned("PACH_JOB_ID", self.runner.id),
            owned("PACH_OUTPUT_COMMIT_ID", self.runner.id),
            owned("PACH_DATUM_ID", &datum.id()),
        ]);
        for part in &datum.parts {
            let name = part.input.name();
            let path = seen.join(name).join(part.path.trim_start_matches('/'));
            let path = path.to_string_lossy();
            env.push(owned(name, path.trim_end_matches('/')));
            env.push((format!("{name}_COMMIT"), part.commit.id.clone()));
        }
        env
    }

    fn record(
        &self,
        state: &'static str,
        reason: Option<&str>,
        started: u64,
        progress: &Progress,
        total: usize,
    ) -> Result<()> {
        let record = Record {
            pipeline: self.pipeline.name(),
            id: self.runner.id,
            state,
            reason,
            started,
            finished: (state != "JOB_RUNNING").then(repo::now),
            inputs: &self.inputs,
            data_processed: progress.processed,
            data_skipped: progress.done.len() - progress.processed,
            data_failed: progress.failed.len(),
            data_total: total,
        };
        publish::write_json(&self.log.with_file_name("job.json"), &record)
    }
}

impl Progress {
    /// Takes a datum's output, unless it conflicts with that of another one.
    fn add(&mut self, done: Processed, sources: Sources) -> Result<()> {
        for (name, path) in sources {
            if let Some((_, other)) = self.files.get(&name) {
                bail!("the datums {other} and {} both write {name:?}", done.id);
            }
            if let Some(file) = self.folder_conflict(&name) {
                bail!("{file:?} and {name:?} cannot both be in the output");
            }
            self.files.insert(name, (path, done.id.clone()));
        }
        self.done.push(done);
        Ok(())
    }

    /// A file that stands where `name` needs a folder, or the other way round.
    fn folder_conflict(&self, name: &str) -> Option<&String> {
        let above = name.match_indices('/').find_map(|(end, _)| {
            let (file, _) = self.files.get_key_value(name.get(..end)?)?;
            Some(file)
        });
        let folder = format!("{name}/");
        let first_below = || self.files.range(folder.clone()..).next();
        above.or_else(|| {
            first_below()
                .map(|(file, _)| file)
                .filter(|file| file.starts_with(&folder))
        })
    }
}
