//! Runs the program on one datum.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::deadline;
use super::work::Work;
use crate::descriptor::DEFAULT_PROJECT;
use crate::interrupt;
use crate::local::datum::Datum;
use crate::local::launch::{Call, Launcher};
use crate::local::process::{End, Process};
use crate::local::publish;
use crate::local::repo::Processed;
use crate::local::tree::{self, Sources};

/// How often a datum is tried where the descriptor does not say.
const DATUM_TRIES: u32 = 3;

impl Work<'_> {
    /// Starts the program on one datum until it succeeds or the tries are used up.
    pub(super) fn process(&self, datum: &Datum<'_>) -> Result<(Processed, Sources)> {
        let id = datum.id();
        let scratch = self.runner.state.scratch().join(&id);
        let tries = self.pipeline.spec.datum_tries.unwrap_or(DATUM_TRIES).max(1);
        let mut attempt = 1;
        loop {
            match self.attempt(datum, &scratch) {
                Ok(()) => break,
                Err(error) if attempt >= tries || self.is_late() || interrupt::requested() => {
                    publish::remove(&scratch)?;
                    return Err(error);
                }
                Err(_) => attempt += 1,
            }
        }
        let sources = tree::list(&scratch.join("pfs/out"))?;
        let done = Processed {
            hash: datum.hash(&self.settings.salt),
            job: self.id.clone(),
            files: sources.keys().cloned().collect(),
            id,
        };
        Ok((done, sources))
    }

    fn attempt(&self, datum: &Datum<'_>, scratch: &Path) -> Result<()> {
        let pfs = scratch.join("pfs");
        publish::remove(scratch)?;
        for part in &datum.parts {
            let repo = self.runner.state.repo(&part.input.repo);
            let files = repo.files(&part.commit.id);
            let target = pfs.join(part.input.name());
            tree::lend(&files, &part.commit.files, &part.path, &target)?;
        }
        fs::create_dir_all(pfs.join("out"))?;
        let start = self.runner.launcher.start(self.call(datum, &pfs))?;
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

    fn call<'a>(&'a self, datum: &Datum<'_>, pfs: &'a Path) -> Call<'a> {
        let transform = &self.pipeline.spec.transform;
        let short = |id: &str| id.chars().take(8).collect::<String>();
        let (use_case, pipeline) = (self.runner.use_case, self.pipeline.name());
        let (job, id) = (short(&self.id), short(&datum.id()));
        let stdin = transform.stdin.iter();
        Call {
            image: &transform.image,
            cmd: &transform.cmd,
            env: self.environment(datum, pfs),
            working_dir: transform.working_dir.as_deref(),
            pfs,
            name: format!("{use_case}-{pipeline}-{job}-{id}"),
            stdin: stdin.map(|line| format!("{line}\n")).collect(),
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
            owned("PACH_JOB_ID", &self.id),
            owned("PACH_OUTPUT_COMMIT_ID", &self.id),
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
}
