//! Does what the plan says.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::follow::{self, Watched, Which};
use super::job::Job;
use super::pachctl::Pachctl;
use super::plan::Plan;
use super::step::Step;
use super::{Again, Cluster, Patience, document};
use crate::check;
use crate::report;
use crate::secrets::Secrets;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(super) struct Apply {
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    again: Again,
    /// Check all that can be checked, print the plan, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the jobs that this causes
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Apply {
    pub(super) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        let pachctl = self.cluster.pachctl()?;
        let root = &workspace.root;
        let plan = Plan::make(root, &self.cluster, &self.again.reprocess, &pachctl)?;
        for line in plan.lines(root) {
            report::status("Plan", line);
        }
        let secrets = self.check(workspace, &plan)?;
        if self.dry_run {
            return self.print(&document::plan(&plan, root));
        }
        let watched = watched(&plan, &pachctl)?;
        send(&plan, &secrets, &pachctl)?;
        let jobs = if self.no_wait || watched.is_empty() {
            Vec::new()
        } else {
            follow::follow(&pachctl, &watched, self.patience.limit())?
        };
        self.print(&document::outcome(&plan, root, &jobs))?;
        if !self.cluster.json {
            follow::print(&jobs)?;
        }
        if plan.is_empty() {
            report::status("Applied", "nothing: the cluster is as the files say");
        }
        follow::verdict(&jobs)
    }

    fn print(&self, document: &Value) -> Result<ExitCode> {
        if self.cluster.json {
            writeln!(std::io::stdout().lock(), "{document}")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// All that would fail half-way otherwise; gives the secrets to create.
    fn check(&self, workspace: &Workspace, plan: &Plan) -> Result<Vec<Value>> {
        let mut problems = Vec::new();
        if plan.steps.iter().any(|step| step.send.is_some()) {
            let sent: BTreeSet<String> = plan
                .steps
                .iter()
                .filter(|step| step.send.is_some())
                .map(|step| step.file(&workspace.root))
                .collect();
            let found = check::unpublished(workspace, &sent)?;
            problems.extend(found.iter().map(ToString::to_string));
        }
        let secrets = Secrets::of(&workspace.root);
        let mut manifests = Vec::new();
        for name in &plan.secrets {
            match secrets.manifest(name) {
                Ok(manifest) => manifests.push(manifest),
                Err(error) => problems.push(format!("{error:#}")),
            }
        }
        if problems.is_empty() {
            return Ok(manifests);
        }
        for problem in &problems {
            report::error(problem);
        }
        bail!(
            "{}; nothing was sent",
            report::count(problems.len(), "problem")
        )
    }
}

/// The pipelines that will have a new job: those that are sent, and all that
/// read their output.
fn watched<'a>(plan: &'a Plan, pachctl: &'a Pachctl) -> Result<Vec<Watched<'a>>> {
    let mut moved: BTreeSet<&str> = BTreeSet::new();
    let mut watched = Vec::new();
    for step in &plan.steps {
        let name = step.descriptor.name();
        let inputs = step.descriptor.spec.input.leaves();
        let reads = inputs
            .iter()
            .any(|input| input.propagates() && moved.contains(input.repo.as_str()));
        if step.send.is_none() && !reads {
            continue;
        }
        moved.insert(name);
        let stopped = step.running.as_ref().is_some_and(|running| running.stopped);
        if stopped {
            continue;
        }
        let project = pachctl.project(&step.descriptor);
        let before = match &step.running {
            Some(_) => pachctl.jobs(name, project)?,
            None => Vec::new(),
        };
        watched.push(Watched {
            pipeline: name,
            project,
            which: Which::New(before.into_iter().map(|job: Job| job.id).collect()),
        });
    }
    Ok(watched)
}

fn send(plan: &Plan, secrets: &[Value], pachctl: &Pachctl) -> Result<()> {
    for (project, name) in &plan.repos {
        report::status("Creating", format_args!("repo {name}"));
        pachctl.create_repo(name, project.as_deref())?;
    }
    for (name, manifest) in plan.secrets.iter().zip(secrets) {
        report::status("Creating", format_args!("secret {name}"));
        pachctl.create_secret(manifest)?;
    }
    let steps = plan
        .steps
        .iter()
        .filter_map(|step| Some((step, step.send?)));
    let steps: Vec<(&Step, _)> = steps.collect();
    for (done, (step, how)) in steps.iter().enumerate() {
        let name = step.descriptor.name();
        report::status("Sending", format_args!("{name} ({})", step.word()));
        pachctl.send(&step.descriptor, *how).with_context(|| {
            format!(
                "{name} was not sent; {done} of {} are, and the same command sends the rest",
                report::count(steps.len(), "pipeline")
            )
        })?;
    }
    Ok(())
}
