//! `cargo xtask check`.

mod containers;
mod descriptors;
mod published;
mod references;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bump::manifest;
use crate::images::place::PlaceArgs;
use crate::report;
use crate::workspace::Workspace;

/// Check that crates, lock file, containers and pipelines agree.
///
/// Pipelines are checked for all that Pachyderm would refuse, and for commands and
/// arguments that the programs do not know: these are compiled and asked.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask check           all problems, each with file, line and JSON path
  cargo xtask check --json    the same for machines: see docs/images.md
  cargo xtask check --registry-check
                              also ask whether the pipelines' images are published")]
pub(crate) struct Args {
    /// Print one JSON document on stdout
    #[arg(long)]
    json: bool,
    /// Ask the registries for every image that a pipeline names
    #[arg(long)]
    registry_check: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Something that does not agree.
#[derive(Debug, Default)]
pub(crate) struct Problem {
    /// Relative to the workspace.
    pub(crate) file: String,
    /// Counted from 1.
    pub(crate) line: Option<usize>,
    /// As `transform.cmd[4]`.
    pub(crate) path: Option<String>,
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        run(workspace, &self.place, self.registry_check, self.json)
    }
}

/// Looks for all problems, prints them, and fails if there is any.
///
/// # Errors
/// When something cannot be read.
pub(crate) fn run(
    workspace: &Workspace,
    place_args: &PlaceArgs,
    ask_registries: bool,
    json: bool,
) -> Result<ExitCode> {
    let place = place_args.unchecked(workspace);
    let mut problems = Vec::new();
    if let Err(error) = place_args.resolve(workspace) {
        problems.push(Problem {
            file: "Cargo.toml".to_owned(),
            message: format!("{error:#}"),
            ..Problem::default()
        });
    }
    lock_file(workspace, &mut problems)?;
    containers::check(workspace, &mut problems)?;
    let descriptors = references::check(workspace, &place, &mut problems)?;
    descriptors::check(workspace, &mut problems)?;
    if ask_registries {
        published::check(&descriptors, &mut problems);
    }
    print(&problems, json)?;
    if problems.is_empty() {
        report::status(
            "Checked",
            "crates, lock file, containers and pipelines agree",
        );
        Ok(ExitCode::SUCCESS)
    } else {
        report::error(report::count(problems.len(), "problem"));
        Ok(ExitCode::FAILURE)
    }
}

/// The images that some files name and no registry holds.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn unpublished(workspace: &Workspace, files: &BTreeSet<String>) -> Result<Vec<Problem>> {
    let place = PlaceArgs::default().unchecked(workspace);
    let mut descriptors = references::check(workspace, &place, &mut Vec::new())?;
    descriptors.retain(|descriptor| files.contains(&descriptor.path.display().to_string()));
    let mut problems = Vec::new();
    published::check(&descriptors, &mut problems);
    Ok(problems)
}

fn lock_file(workspace: &Workspace, problems: &mut Vec<Problem>) -> Result<()> {
    let path = workspace.root.join("Cargo.lock");
    let lock = fs::read_to_string(&path);
    let lock = lock.with_context(|| format!("cannot read {}", path.display()))?;
    for image in &workspace.images {
        let (message, line) = match manifest::locked(&lock, &image.name)? {
            Some((version, _)) if version == image.version.to_string() => continue,
            Some((version, at)) => {
                let before = lock.get(..at).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let (name, wanted) = (&image.name, &image.version);
                (
                    format!("{name} is {version} here and {wanted} in its crate"),
                    Some(line),
                )
            }
            None => (format!("{} is missing", image.name), None),
        };
        problems.push(Problem {
            file: "Cargo.lock".to_owned(),
            line,
            message,
            help: Some("run `cargo metadata`, which brings it up to date".to_owned()),
            ..Problem::default()
        });
    }
    Ok(())
}

fn print(problems: &[Problem], json: bool) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    if json {
        let problems: Vec<Value> = problems.iter().map(Problem::json).collect();
        writeln!(stdout, "{}", json!({"problems": problems}))?;
    } else {
        for problem in problems {
            writeln!(stdout, "{problem}")?;
        }
    }
    Ok(())
}

impl Problem {
    fn json(&self) -> Value {
        json!({
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "message": self.message,
            "help": self.help,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(path) = &self.path {
            write!(f, ": {path}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}
