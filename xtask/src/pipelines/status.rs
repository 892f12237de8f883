//! What the cluster runs, and waiting for it.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;

use super::follow::{self, Watched, Which};
use super::plan::Plan;
use super::step::Step;
use super::{Cluster, document};
use crate::report;
use crate::workspace::Workspace;

/// Prints a line for each pipeline.
pub(super) fn show(workspace: &Workspace, cluster: &Cluster) -> Result<ExitCode> {
    let pachctl = cluster.pachctl()?;
    let plan = Plan::compare(&workspace.root, cluster, &pachctl)?;
    let mut stdout = std::io::stdout().lock();
    if cluster.json {
        let document = document::status(&plan, &workspace.root);
        writeln!(stdout, "{document}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let names = plan.steps.iter().map(|step| step.descriptor.name().len());
    let width = names.max().unwrap_or(0);
    for step in &plan.steps {
        writeln!(stdout, "{:width$}  {}", step.descriptor.name(), line(step))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(step: &Step) -> String {
    let Some(running) = &step.running else {
        return "not on the cluster".to_owned();
    };
    let short = |text: &str, head: &str| text.trim_start_matches(head).to_lowercase();
    let state = short(&running.state, "PIPELINE_");
    let job = match running.last_job.as_str() {
        "" => "no job yet".to_owned(),
        job => format!("last job: {}", short(job, "JOB_")),
    };
    let same = if step.changes.is_empty() {
        "as the file says"
    } else {
        "differs from the file"
    };
    let reason = match running.reason.as_str() {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    format!(
        "version {}  {state}{reason}  {job}  {same}",
        running.version
    )
}

/// Waits for the newest job of each pipeline, or for the jobs of one commit.
pub(super) fn wait(
    workspace: &Workspace,
    cluster: &Cluster,
    job: Option<String>,
    limit: Duration,
) -> Result<ExitCode> {
    let pachctl = cluster.pachctl()?;
    let plan = Plan::compare(&workspace.root, cluster, &pachctl)?;
    let mut watched = Vec::new();
    for step in &plan.steps {
        let name = step.descriptor.name();
        if step.running.is_none() {
            report::warning(format_args!("{name} is not on the cluster"));
            continue;
        }
        let project = pachctl.project(&step.descriptor);
        let jobs = pachctl.jobs(name, project)?;
        let which = match &job {
            Some(id) if jobs.iter().any(|job| job.id == *id) => Which::Id(id.clone()),
            Some(_) => continue,
            None if jobs.is_empty() => {
                report::warning(format_args!("{name} has no job"));
                continue;
            }
            None => Which::Newest,
        };
        watched.push(Watched {
            pipeline: name,
            project,
            which,
        });
    }
    if let (Some(id), true) = (&job, watched.is_empty()) {
        bail!("no pipeline has the job {id}; `pachctl list job` shows them");
    }
    let jobs = follow::follow(&pachctl, &watched, limit)?;
    if cluster.json {
        writeln!(std::io::stdout().lock(), "{}", json!({"jobs": jobs}))?;
    } else {
        follow::print(&jobs)?;
    }
    follow::verdict(&jobs)
}
