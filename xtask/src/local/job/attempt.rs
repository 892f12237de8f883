//! Runs the program on one datum.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::collect::Collector;
use super::input::lend;
use super::output::{Done, Keyed};
use super::work::Work;
use super::{earliest, in_seconds};
use crate::descriptor::DEFAULT_PROJECT;
use crate::interrupt;
use crate::local::datum::Datum;
use crate::local::docker::LAST;
use crate::local::launch::{Call, Launcher};
use crate::local::process::{End, Process};
use crate::local::publish;
use crate::local::repo::Processed;

/// The variable by which train is told the package of the last model.
const LAST_MODEL: &str = "TRAIN_LAST_MODEL";

/// The variable by which train is told what its report compares with.
const PREVIOUS: &str = "TRAIN_PREVIOUS";

/// Where train puts a package in its output.
const MODEL: &str = "model";

/// How often a datum is tried where the descriptor does not say.
const DATUM_TRIES: u32 = 3;

impl Work<'_> {
    /// Starts the program on one datum until it succeeds or the tries are used up.
    pub(super) fn process(&self, datum: &Keyed<'_>) -> Result<Done> {
        let scratch = self.runner.state.scratch().join(&datum.id);
        let done = self.tries(datum, &scratch);
        publish::remove(&scratch)?;
        done
    }

    fn tries(&self, datum: &Keyed<'_>, scratch: &Path) -> Result<Done> {
        let tries = self.pipeline.spec.datum_tries.unwrap_or(DATUM_TRIES).max(1);
        let mut attempt = 1;
        loop {
            let mut recovered = false;
            match self.attempt(datum, scratch, &mut recovered) {
                Ok(()) => break,
                Err(error) if self.is_late() || interrupt::requested() => return Err(error),
                Err(_) if attempt >= tries && recovered => return Ok(Done::Recovered),
                Err(error) if attempt >= tries => return Err(error),
                Err(_) => attempt += 1,
            }
        }
        let collector = Collector {
            objects: self.runner.state.objects(),
            datum: datum.datum,
            pfs: &scratch.join("pfs"),
            container: self.in_container(),
        };
        let files = collector.collect()?;
        let done = Processed {
            hash: datum.hash.clone(),
            job: self.id.clone(),
            files: files.keys().cloned().collect(),
            id: datum.id.clone(),
        };
        Ok(Done::Output(done, files))
    }

    /// One attempt, and after a failed one `err_cmd`, within the same time.
    fn attempt(&self, datum: &Keyed<'_>, scratch: &Path, recovered: &mut bool) -> Result<()> {
        let pfs = scratch.join("pfs");
        publish::remove(scratch)?;
        let out = pfs.join("out");
        fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
        let _lent = lend(self.runner.state.objects(), datum.datum, &pfs)?;
        let env = self.environment(datum.datum, &datum.id, &pfs);
        write_env(&pfs, &env)?;
        let timeout = in_seconds(self.pipeline.spec.datum_timeout.as_deref());
        let deadline = earliest(timeout, self.deadline);
        let transform = &self.pipeline.spec.transform;
        let start = |cmd: &[String], stdin: &[String]| {
            let call = self.call(datum, &pfs, &env, cmd, stdin);
            self.start(call, deadline)
        };
        let failed = match start(&transform.cmd, &transform.stdin) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !transform.err_cmd.is_empty() && !interrupt::requested() {
            *recovered = start(&transform.err_cmd, &transform.err_stdin).is_ok();
        }
        Err(failed)
    }

    fn call<'a>(
        &'a self,
        datum: &Keyed<'_>,
        pfs: &'a Path,
        env: &[(String, String)],
        cmd: &'a [String],
        stdin: &[String],
    ) -> Call<'a> {
        let transform = &self.pipeline.spec.transform;
        let short = |id: &str| id.chars().take(8).collect::<String>();
        let (use_case, pipeline) = (self.runner.use_case, self.pipeline.name());
        let (job, id) = (short(&self.id), short(&datum.id));
        Call {
            image: &transform.image,
            cmd,
            env: env.to_vec(),
            working_dir: transform.working_dir.as_deref(),
            user: transform.user.as_deref().filter(|user| !user.is_empty()),
            mounts: &self.mounts,
            pfs,
            last: self.last.as_deref(),
            name: format!("{use_case}-{pipeline}-{job}-{id}"),
            stdin: stdin.iter().map(|line| format!("{line}\n")).collect(),
        }
    }

    fn start(&self, call: Call<'_>, deadline: Option<Instant>) -> Result<()> {
        let mut start = self.runner.launcher.start(call)?;
        let values = self.secrets.iter().map(|(_, value)| value.clone());
        let mounted = self.mounts.iter().flat_map(|mount| mount.files.values());
        start.masked = values.chain(mounted.cloned()).collect();
        let process = Process::start(start, &self.log, &self.runner.state.job_processes())?;
        match process.wait(deadline)? {
            End::Exited(status) if self.is_accepted(status.code()) => Ok(()),
            End::Exited(status) => bail!("the program ended with {status}"),
            End::TimedOut => bail!("the program was killed: its time was up"),
            End::Interrupted => bail!("interrupted"),
        }
    }

    fn in_container(&self) -> bool {
        matches!(self.runner.launcher, Launcher::Docker)
    }

    fn is_accepted(&self, code: Option<i32>) -> bool {
        let accepted = &self.pipeline.spec.transform.accept_return_code;
        code.is_some_and(|code| code == 0 || accepted.contains(&code))
    }

    /// The environment of a Pachyderm worker. Later entries win.
    fn environment(&self, datum: &Datum<'_>, id: &str, pfs: &Path) -> Vec<(String, String)> {
        let seen = if self.in_container() {
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
            owned("PACH_DATUM_ID", id),
        ]);
        // Pachyderm is asked for it by the program itself; here there is none to ask.
        let last = match &self.last {
            Some(last) if !self.in_container() => last.clone(),
            _ => PathBuf::from(LAST),
        };
        let model = last.join(MODEL).to_string_lossy().into_owned();
        if self.last.is_some() {
            env.push((PREVIOUS.to_owned(), model.clone()));
        }
        env.push((LAST_MODEL.to_owned(), model));
        for part in &datum.parts {
            let name = part.input.name();
            let path = seen.join(name).join(part.path.trim_matches('/'));
            let path = path.to_string_lossy();
            env.push(owned(name, path.trim_end_matches('/')));
            env.push((format!("{name}_COMMIT"), part.commit.id.clone()));
            if part.input.join_on.is_some() {
                let key = format!("PACH_DATUM_{name}_JOIN_ON");
                env.push((key, part.join_on.clone()));
            }
            if part.input.group_by.is_some() {
                let key = format!("PACH_DATUM_{name}_GROUP_BY");
                env.push((key, part.group_by.clone()));
            }
        }
        env
    }
}

/// Writes the environment to `/pfs/.env`, as workers have done since 2.6.
fn write_env(pfs: &Path, env: &[(String, String)]) -> Result<()> {
    let file = pfs.join(".env");
    let lines = env.iter().map(|(key, value)| format!("{key}={value}\n"));
    fs::write(&file, lines.collect::<String>())
        .with_context(|| format!("cannot write {}", file.display()))
}
