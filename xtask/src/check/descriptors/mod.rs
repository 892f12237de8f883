//! Whether Pachyderm will take the descriptors and the programs can run them.

mod commands;
mod inputs;
mod transform;

use std::path::Path;

use anyhow::Result;

use super::Problem;
use crate::descriptor::{self, Descriptor, Finding};
use crate::workspace::Workspace;

/// A use case and the descriptors of it that can be read.
struct UseCase {
    name: String,
    descriptors: Vec<Descriptor>,
}

/// Adds everything that is wrong with the descriptors of all use cases.
///
/// # Errors
/// When a folder cannot be read, or a program that a descriptor starts cannot be
/// compiled.
pub(super) fn check(workspace: &Workspace, problems: &mut Vec<Problem>) -> Result<()> {
    let root = &workspace.root;
    let mut all = Vec::new();
    let mut complete = true;
    for name in descriptor::use_cases(root)? {
        let folder = root.join("pipelines").join(&name);
        let (descriptors, findings) = descriptor::examine(&folder)?;
        complete &= findings.is_empty();
        for finding in findings {
            let problem = problem(root, finding, None);
            // What is no JSON at all has been found with its references.
            let known = |other: &Problem| problem.path.is_none() && other.file == problem.file;
            if !problems.iter().any(known) {
                problems.push(problem);
            }
        }
        all.push(UseCase { name, descriptors });
    }
    let mut found = Found { root, problems };
    twice(&all, &mut found);
    for use_case in &all {
        for descriptor in &use_case.descriptors {
            // One that cannot be read may make the repo.
            if complete {
                inputs::check(&all, use_case, descriptor, &mut found)?;
            }
            transform::check(workspace, descriptor, &mut found);
        }
    }
    // Cargo compiles nothing while the lock file is behind.
    if found
        .problems
        .iter()
        .any(|problem| problem.file == "Cargo.lock")
    {
        return Ok(());
    }
    commands::check(workspace, &all, &mut found)
}

/// Collects problems.
struct Found<'a> {
    root: &'a Path,
    problems: &'a mut Vec<Problem>,
}

impl Found<'_> {
    /// Adds a problem at a field, with what to write instead.
    fn add(&mut self, descriptor: &Descriptor, path: &str, what: String, help: String) {
        let finding = descriptor.finding(path, what);
        self.problems.push(problem(self.root, finding, Some(help)));
    }
}

fn problem(root: &Path, finding: Finding, help: Option<String>) -> Problem {
    let file = finding.file.strip_prefix(root).unwrap_or(&finding.file);
    Problem {
        file: file.display().to_string(),
        line: finding.line,
        path: finding.path.filter(|path| !path.is_empty()),
        message: finding.what,
        help,
    }
}

/// One name for two pipelines: the second would replace the first.
fn twice(all: &[UseCase], found: &mut Found<'_>) {
    let descriptors: Vec<&Descriptor> = all.iter().flat_map(|it| &it.descriptors).collect();
    for (index, descriptor) in descriptors.iter().enumerate() {
        let mut before = descriptors.iter().take(index);
        let Some(other) = before.find(|other| other.name() == descriptor.name()) else {
            continue;
        };
        let file = other.file.strip_prefix(found.root).unwrap_or(&other.file);
        let what = format!("{:?} is made by {} too", descriptor.name(), file.display());
        let help = "give each pipeline a name of its own".to_owned();
        found.add(descriptor, "pipeline.name", what, help);
    }
}
