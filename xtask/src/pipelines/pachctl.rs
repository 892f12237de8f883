//! The few commands of pachctl that are needed. It exits with 0 or 1 and says
//! what is wrong on stderr; `--raw` prints JSON objects one after the other.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Deserializer, Value};
use tempfile::TempDir;

use super::job::Job;
use crate::descriptor::Descriptor;
use crate::process::{End, Finished, Input, Task};

/// How long a command that does not wait for a job may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A pachctl and the project that is meant where none is named.
pub(super) struct Pachctl {
    program: OsString,
    project: Option<String>,
    /// What its commands print goes here.
    logs: TempDir,
}

impl Pachctl {
    pub(super) fn new(program: OsString, project: Option<String>) -> Result<Self> {
        Ok(Self {
            program,
            project,
            logs: tempfile::tempdir()?,
        })
    }

    /// The project of a descriptor, if it is known here.
    pub(super) fn project<'a>(&'a self, descriptor: &'a Descriptor) -> Option<&'a str> {
        descriptor.project().or(self.project.as_deref())
    }

    /// The names of all pipelines of a project.
    pub(super) fn pipelines(&self, project: Option<&str>) -> Result<BTreeSet<String>> {
        let found = self.objects(&["list", "pipeline", "--raw"], project)?;
        Ok(names(&found, "/pipeline/name"))
    }

    /// The names of all repos of a project, those of pipelines among them.
    pub(super) fn repos(&self, project: Option<&str>) -> Result<BTreeSet<String>> {
        let found = self.objects(&["list", "repo", "--raw"], project)?;
        Ok(names(&found, "/repo/name"))
    }

    /// A `PipelineInfo`.
    pub(super) fn inspect(&self, name: &str, project: Option<&str>) -> Result<Value> {
        let found = self.objects(&["inspect", "pipeline", name, "--raw"], project)?;
        let found = found.into_iter().next();
        found.with_context(|| format!("pachctl says nothing of the pipeline {name}"))
    }

    /// Whether pachd's namespace holds a secret.
    pub(super) fn has_secret(&self, name: &str) -> Result<bool> {
        let finished = self.run(&["inspect", "secret", name], None, Input::Nothing)?;
        // pachctl has no other status for it than for a cluster that is not reached.
        if !finished.success() && finished.stderr.contains("not found") {
            return Ok(false);
        }
        succeeded(&finished).map(|()| true)
    }

    pub(super) fn create_repo(&self, name: &str, project: Option<&str>) -> Result<()> {
        succeeded(&self.run(&["create", "repo", name], project, Input::Nothing)?)
    }

    /// Creates a secret; its values are in no file and on no command line.
    pub(super) fn create_secret(&self, manifest: &Value) -> Result<()> {
        let words = ["create", "secret", "-f", "/dev/stdin"];
        succeeded(&self.run(&words, None, Input::Text(manifest.to_string()))?)
    }

    /// Creates or updates a pipeline.
    pub(super) fn send(&self, descriptor: &Descriptor, how: Send) -> Result<()> {
        let words: &[&str] = match how {
            Send::Create => &["create", "pipeline", "-f", "-"],
            Send::Update => &["update", "pipeline", "-f", "-"],
            Send::Reprocess => &["update", "pipeline", "--reprocess", "-f", "-"],
        };
        let spec = Input::Text(descriptor.fields.to_string());
        succeeded(&self.run(words, self.project(descriptor), spec)?)
    }

    /// The jobs of a pipeline's present version, the newest first.
    pub(super) fn jobs(&self, pipeline: &str, project: Option<&str>) -> Result<Vec<Job>> {
        let found = self.objects(&["list", "job", "-p", pipeline, "--raw"], project)?;
        let mut jobs: Vec<Job> = found.iter().filter_map(Job::of).collect();
        jobs.sort_by(|one, other| other.created.cmp(&one.created));
        Ok(jobs)
    }

    /// What a job has printed so far, as lines; none while nobody can say.
    pub(super) fn logs(&self, job: &Job, project: Option<&str>) -> Option<String> {
        let of = format!("{}@{}", job.pipeline, job.id);
        let finished = self
            .run(&["logs", "-j", &of], project, Input::Nothing)
            .ok()?;
        finished.success().then_some(finished.stdout)
    }

    /// Why the output commit of a job cannot be read, if it cannot.
    pub(super) fn commit_error(&self, job: &Job, project: Option<&str>) -> Result<Option<String>> {
        let of = format!("{}@{}", job.pipeline, job.id);
        let found = self.objects(&["wait", "commit", &of, "--raw"], project)?;
        let mut errors = found
            .iter()
            .filter_map(|commit| commit.get("error")?.as_str());
        Ok(errors.find(|error| !error.is_empty()).map(str::to_owned))
    }

    fn objects(&self, words: &[&str], project: Option<&str>) -> Result<Vec<Value>> {
        let finished = self.run(words, project, Input::Nothing)?;
        succeeded(&finished)?;
        let objects = Deserializer::from_str(&finished.stdout).into_iter();
        let objects: Result<Vec<Value>, _> = objects.collect();
        objects.with_context(|| format!("`{}` does not print JSON", finished.line))
    }

    fn run(&self, words: &[&str], project: Option<&str>, stdin: Input<'_>) -> Result<Finished> {
        let mut command = Command::new(&self.program);
        command.args(words);
        if let Some(project) = project {
            command.args(["--project", project]);
        }
        let task = Task {
            command,
            doing: Some(("Asking", "the cluster")),
            stdin,
            log: self.logs.path().join("pachctl.log"),
            limit: LIMIT,
        };
        task.run().map_err(|error| {
            let advice = "is pachctl installed? (XTASK_PACHCTL names another program)";
            match error.downcast_ref::<std::io::Error>() {
                Some(io) if io.kind() == std::io::ErrorKind::NotFound => error.context(advice),
                _ => error,
            }
        })
    }
}

/// How a pipeline is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Send {
    Create,
    Update,
    /// An update that also processes again what is processed already.
    Reprocess,
}

fn names(objects: &[Value], path: &str) -> BTreeSet<String> {
    let names = objects.iter().filter_map(|object| object.pointer(path));
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn succeeded(finished: &Finished) -> Result<()> {
    let how = match &finished.end {
        End::Exit(status) if status.success() => return Ok(()),
        End::Exit(status) => format!("failed ({status})"),
        End::Late(limit) => format!("did not end within {} s", limit.as_secs()),
        End::Interrupted => bail!("interrupted; run the same command again to go on"),
    };
    Err(anyhow!(
        "`{}` {how}\n{}  is the cluster reached? `pachctl version` tells",
        finished.line,
        finished.tail(12)
    ))
}
