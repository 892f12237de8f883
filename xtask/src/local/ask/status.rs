//! Repos, commits, jobs, datums, and what is served.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;

use super::{names_in, use_cases};
use crate::local::job::Record;
use crate::local::repo::{Commit, Repo};
use crate::local::serving::Status as Served;
use crate::local::state::State;

/// How many of the newest commits and jobs are shown to people.
const SHOWN: usize = 5;

/// All that is kept of a use case.
#[derive(Serialize)]
struct UseCase {
    name: String,
    repos: Vec<RepoStatus>,
    /// The oldest first.
    jobs: Vec<Record>,
    served: Vec<ServedStatus>,
}

#[derive(Serialize)]
struct RepoStatus {
    name: String,
    /// The newest first.
    commits: Vec<CommitStatus>,
}

#[derive(Serialize)]
struct CommitStatus {
    id: String,
    parent: Option<String>,
    /// Seconds since 1970.
    created: u64,
    files: usize,
    bytes: u64,
    /// The datums that it was made of; none for a commit of a user.
    datums: usize,
}

#[derive(Serialize)]
struct ServedStatus {
    name: String,
    #[serde(flatten)]
    status: Served,
}

pub(super) fn show(root: &Path, only: Option<&str>, json: bool) -> Result<()> {
    let mut known = use_cases(root)?;
    if let Some(only) = only {
        known.retain(|name| name == only);
        if known.is_empty() {
            bail!("nothing is kept of a use case {only:?}; run it first");
        }
    }
    let all = known.iter().map(|name| read(root, name));
    let all: Vec<UseCase> = all.collect::<Result<_>>()?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        all.iter().try_for_each(|it| it.print(&mut out))?;
    }
    Ok(())
}

fn read(root: &Path, name: &str) -> Result<UseCase> {
    let state = State::open(root, name)?;
    let folder = root.join(".local").join(name);
    let mut repos = Vec::new();
    for name in names_in(&folder.join("repos"))? {
        let commits = commits(&state.repo(&name))?;
        repos.push(RepoStatus { name, commits });
    }
    let mut jobs = Vec::new();
    for pipeline in names_in(&folder.join("jobs"))? {
        for id in names_in(&folder.join("jobs").join(&pipeline))? {
            jobs.push(Record::read(&state.job(&pipeline, &id).join("job.json"))?);
        }
    }
    jobs.sort_by_key(|job| (job.started, job.finished));
    let mut served = Vec::new();
    for file in names_in(&state.deployments())? {
        if let Some(name) = file.strip_suffix(".yaml")
            && let Some(status) = Served::read(&state, name)
        {
            let name = name.to_owned();
            served.push(ServedStatus { name, status });
        }
    }
    Ok(UseCase {
        name: name.to_owned(),
        repos,
        jobs,
        served,
    })
}

fn commits(repo: &Repo<'_>) -> Result<Vec<CommitStatus>> {
    let mut commits = Vec::new();
    let mut next = repo.head()?;
    while let Some(commit) = next {
        commits.push(CommitStatus::of(&commit));
        next = commit.parent.map(|id| repo.read(&id)).transpose()?;
    }
    Ok(commits)
}

impl CommitStatus {
    fn of(commit: &Commit) -> Self {
        Self {
            id: commit.id.clone(),
            parent: commit.parent.clone(),
            created: commit.created,
            files: commit.files.len(),
            bytes: commit.files.values().map(|entry| entry.size).sum(),
            datums: commit.job.as_ref().map_or(0, |job| job.datums.len()),
        }
    }
}

impl UseCase {
    fn print(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "{}", self.name)?;
        for repo in &self.repos {
            writeln!(out, "  repo {}", repo.name)?;
            for commit in repo.commits.iter().take(SHOWN) {
                let (id, files, bytes) = (&commit.id, commit.files, commit.bytes);
                writeln!(out, "    {id}  {files} files, {bytes} bytes")?;
            }
        }
        let old = self.jobs.len().saturating_sub(SHOWN);
        for job in self.jobs.iter().skip(old) {
            writeln!(
                out,
                "  job {}@{}  {}  processed {}, skipped {}, failed {}, recovered {} of {}",
                job.pipeline,
                job.id,
                job.state,
                job.data_processed,
                job.data_skipped,
                job.data_failed,
                job.data_recovered,
                job.data_total
            )?;
            if let Some(reason) = &job.reason {
                writeln!(out, "    {reason}")?;
            }
        }
        for served in &self.served {
            let url = served.status.url.as_deref().unwrap_or("-");
            let phase = serde_json::to_string(&served.status.phase)?;
            let phase = phase.trim_matches('"');
            let version = served.status.generation.get(..12).unwrap_or_default();
            writeln!(out, "  served {} {version}  {phase}  {url}", served.name)?;
        }
        Ok(())
    }
}
