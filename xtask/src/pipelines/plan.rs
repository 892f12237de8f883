//! What has to be sent to a cluster, and why: worked out before anything is sent.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use super::document;
use super::needs::{missing_repos, missing_secrets};
use super::pachctl::Pachctl;
use super::step::{Running, Step};
use super::{Again, Cluster};
use crate::descriptor::Descriptor;
use crate::report;
use crate::workspace::Workspace;

/// All that differs between the files and the cluster.
pub(super) struct Plan {
    /// In topological order.
    pub(super) steps: Vec<Step>,
    /// Repos that are not there, with their project.
    pub(super) repos: BTreeSet<(Option<String>, String)>,
    /// Secrets that are not there.
    pub(super) secrets: BTreeSet<String>,
}

/// Prints the plan.
pub(super) fn show(workspace: &Workspace, cluster: &Cluster, again: &Again) -> Result<ExitCode> {
    let pachctl = cluster.pachctl()?;
    let plan = Plan::make(&workspace.root, cluster, &again.reprocess, &pachctl)?;
    let mut stdout = std::io::stdout().lock();
    if cluster.json {
        let document = document::plan(&plan, &workspace.root);
        writeln!(stdout, "{document}")?;
    } else {
        for line in plan.lines(&workspace.root) {
            writeln!(stdout, "{line}")?;
        }
    }
    if plan.is_empty() {
        report::status("Planned", "nothing: the cluster is as the files say");
    } else {
        let names = cluster.use_cases.join(" ");
        report::status(
            "Planned",
            "this does it: cargo xtask pipelines apply ".to_owned() + &names,
        );
    }
    Ok(ExitCode::SUCCESS)
}

impl Plan {
    /// Compares the files with the cluster, and looks for what they need there.
    ///
    /// # Errors
    ///
    /// When a file is wrong, an input has nothing that could ever fill it, or the
    /// cluster does not answer.
    pub(super) fn make(
        root: &Path,
        cluster: &Cluster,
        reprocess: &[String],
        pachctl: &Pachctl,
    ) -> Result<Self> {
        let steps = steps(cluster.descriptors(root)?, reprocess, pachctl)?;
        Ok(Self {
            repos: missing_repos(root, &steps, pachctl)?,
            secrets: missing_secrets(&steps, pachctl)?,
            steps,
        })
    }

    /// Compares the files with the cluster.
    ///
    /// # Errors
    ///
    /// When a file is wrong, or the cluster does not answer.
    pub(super) fn compare(root: &Path, cluster: &Cluster, pachctl: &Pachctl) -> Result<Self> {
        Ok(Self {
            steps: steps(cluster.descriptors(root)?, &[], pachctl)?,
            repos: BTreeSet::new(),
            secrets: BTreeSet::new(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.repos.is_empty()
            && self.secrets.is_empty()
            && self.steps.iter().all(|step| step.send.is_none())
    }

    /// A line for each repo, secret and pipeline.
    pub(super) fn lines(&self, root: &Path) -> Vec<String> {
        let repos = self.repos.iter().map(|(_, name)| {
            format!("create     repo {name}: no pipeline makes it, and it is not there")
        });
        let secrets = self.secrets.iter().map(|name| {
            format!("create     secret {name}: from .local/secrets/, as it is not there")
        });
        let steps = self.steps.iter().map(|step| {
            let file = step.file(root);
            let (word, name) = (step.word(), step.descriptor.name());
            format!("{word:10} {name} ({file}): {}", step.reasons.join("; "))
        });
        repos.chain(secrets).chain(steps).collect()
    }
}

fn steps(
    descriptors: Vec<Descriptor>,
    reprocess: &[String],
    pachctl: &Pachctl,
) -> Result<Vec<Step>> {
    for name in reprocess {
        let mut names = descriptors.iter().map(Descriptor::name);
        ensure!(
            names.any(|known| known == name),
            "--reprocess {name}: no chosen file describes that pipeline"
        );
    }
    let mut known: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
    let mut steps = Vec::new();
    for descriptor in descriptors {
        let project = pachctl.project(&descriptor).map(str::to_owned);
        let there = match known.entry(project.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(pachctl.pipelines(project.as_deref())?),
        };
        let name = descriptor.name();
        let running = if there.contains(name) {
            let info = pachctl.inspect(name, project.as_deref())?;
            let running = Running::of(&info);
            Some(running.with_context(|| format!("{name}: cannot read what the cluster runs"))?)
        } else {
            None
        };
        let again = reprocess.iter().any(|wanted| wanted == name);
        steps.push(Step::decide(descriptor, running, again));
    }
    Ok(steps)
}
