//! Questions about what a use case has kept, and the way to forget it.

mod diff;
mod forget;
mod logs;
mod status;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use super::state::State;
use crate::workspace::Workspace;

/// What can be asked, beside running a use case.
#[derive(Debug, Subcommand)]
pub(super) enum Question {
    /// Show repos, commits, jobs, datums and what is served
    #[command(after_help = "Examples:
  cargo xtask local status               of all use cases
  cargo xtask local status iris --json   of one, for programs")]
    Status {
        /// Only this use case
        use_case: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what the programs of a job have printed
    #[command(after_help = "Examples:
  cargo xtask local logs 44f476613924438fb401de9a4b913190
  cargo xtask local logs iris-model@44f4")]
    Logs {
        /// A job, ID or PIPELINE@ID; the beginning of the ID is enough
        job: String,
    },
    /// Show which files two commits of a repo do not share
    #[command(after_help = "Examples:
  cargo xtask local diff iris-data@44f4 iris-data@bb7d
  cargo xtask local diff iris-data@44f4 iris-data   from there to the newest")]
    Diff {
        /// The older commit, REPO@ID; the beginning of the ID is enough
        old: String,
        /// The newer commit, REPO@ID, or REPO for its newest
        new: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget all that a use case has kept
    #[command(after_help = "Examples:
  cargo xtask local rm iris")]
    Rm {
        /// A use case that does not run
        use_case: String,
    },
}

impl Question {
    pub(super) fn answer(self, workspace: &Workspace) -> Result<ExitCode> {
        let root = &workspace.root;
        match self {
            Self::Status { use_case, json } => status::show(root, use_case.as_deref(), json)?,
            Self::Logs { job } => logs::show(root, &job)?,
            Self::Diff { old, new, json } => diff::show(root, &old, &new, json)?,
            Self::Rm { use_case } => forget::forget(root, &use_case)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The use cases that something is kept of.
fn use_cases(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in names_in(&root.join(".local"))? {
        if root.join(".local").join(&name).join("format").is_file() {
            names.push(name);
        }
    }
    Ok(names)
}

/// The names in a folder, in order; none where there is no folder. What is still in
/// the making does not count.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The one folder `.local/<use case>/<kind>/<owner>/<between>/<id>` that `wanted`,
/// `[<owner>@]<beginning of the ID>`, means.
fn find(root: &Path, kind: &str, between: &str, wanted: &str) -> Result<Found> {
    let (owner, beginning) = wanted.rsplit_once('@').unwrap_or(("", wanted));
    let mut found = Vec::new();
    for use_case in use_cases(root)? {
        let folder = root.join(".local").join(&use_case).join(kind);
        for name in names_in(&folder)? {
            if !owner.is_empty() && name != owner {
                continue;
            }
            let folder = folder.join(&name).join(between);
            for id in names_in(&folder)? {
                if id.starts_with(beginning) {
                    found.push(Found {
                        use_case: use_case.clone(),
                        owner: name.clone(),
                        path: folder.join(&id),
                        id,
                    });
                }
            }
        }
    }
    match found.len() {
        0 => bail!("nothing here is called {wanted:?}; \"cargo xtask local status\" shows what is"),
        1 => found.pop().context("it was there"),
        _ => {
            let names: Vec<String> = found
                .iter()
                .map(|it| format!("{}@{} of {}", it.owner, it.id, it.use_case))
                .collect();
            bail!("{wanted:?} could be {}", names.join(", "))
        }
    }
}

/// A job or a commit.
struct Found {
    use_case: String,
    owner: String,
    id: String,
    path: PathBuf,
}

impl Found {
    fn state(&self, root: &Path) -> Result<State> {
        State::open(root, &self.use_case)
    }
}
