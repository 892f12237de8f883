//! `cargo xtask pipelines`: brings the descriptors to a Pachyderm cluster.

mod apply;
mod diff;
mod document;
mod follow;
mod job;
mod needs;
mod pachctl;
mod plan;
mod status;
mod step;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::descriptor::{self, Descriptor};
use crate::interrupt;
use crate::workspace::Workspace;
use pachctl::Pachctl;

/// Bring the pipelines to a Pachyderm cluster, by pachctl.
///
/// Compares the files below pipelines/ with what the cluster runs, and sends only
/// what differs: an update kills running jobs.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask pipelines plan iris      what would be sent, and why
  cargo xtask pipelines apply iris     send it, and follow the jobs that it causes
  cargo xtask pipelines status         of all use cases
  cargo xtask pipelines wait iris      for the jobs that run now")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Say what would be created or updated, and why
    #[command(after_help = "Examples:
  cargo xtask pipelines plan           of all use cases
  cargo xtask pipelines plan iris --json
  cargo xtask pipelines plan iris --reprocess iris-model
                                       also process again what is processed already")]
    Plan {
        #[command(flatten)]
        cluster: Cluster,
        #[command(flatten)]
        again: Again,
    },
    /// Do what the plan says, and follow the jobs to their end
    #[command(after_help = "Examples:
  cargo xtask pipelines apply iris
  cargo xtask pipelines apply iris --dry-run
                                       check all that can be checked, and send nothing
  cargo xtask pipelines apply --no-wait
                                       of all use cases, and do not follow their jobs")]
    Apply(apply::Apply),
    /// Show what the cluster runs, and whether the files say the same
    #[command(after_help = "Examples:
  cargo xtask pipelines status
  cargo xtask pipelines status iris --json")]
    Status {
        #[command(flatten)]
        cluster: Cluster,
    },
    /// Wait until the newest job of each pipeline has ended
    #[command(after_help = "Examples:
  cargo xtask pipelines wait iris
  cargo xtask pipelines wait iris --job 44f476613924438fb401de9a4b913190
                                       for one commit, through all pipelines
  cargo xtask pipelines wait --timeout 600")]
    Wait {
        #[command(flatten)]
        cluster: Cluster,
        /// Wait for this job instead, which is the ID of a commit too
        #[arg(long, value_name = "ID")]
        job: Option<String>,
        #[command(flatten)]
        patience: Patience,
    },
}

/// Which pipelines, and how to reach their cluster.
#[derive(clap::Args)]
struct Cluster {
    /// Folders below pipelines/; all when none is named
    use_cases: Vec<String>,
    /// Print one JSON document on stdout
    #[arg(long)]
    json: bool,
    /// Project of the descriptors that name none; pachctl's own if not set
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// The pachctl to run
    #[arg(
        long,
        env = "XTASK_PACHCTL",
        value_name = "PROGRAM",
        default_value = "pachctl"
    )]
    pachctl: OsString,
}

/// What is processed once more.
#[derive(clap::Args)]
struct Again {
    /// Process again what this pipeline has processed already
    #[arg(long, value_name = "PIPELINE")]
    reprocess: Vec<String>,
}

/// How long jobs may take.
#[derive(clap::Args)]
struct Patience {
    /// Seconds to wait for jobs
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
}

impl Patience {
    fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        interrupt::listen()?;
        match self.what {
            What::Plan { cluster, again } => plan::show(workspace, &cluster, &again),
            What::Apply(apply) => apply.run(workspace),
            What::Status { cluster } => status::show(workspace, &cluster),
            What::Wait {
                cluster,
                job,
                patience,
            } => status::wait(workspace, &cluster, job, patience.limit()),
        }
    }
}

impl Cluster {
    /// The descriptors of the use cases, each after those whose output it reads.
    fn descriptors(&self, root: &Path) -> Result<Vec<Descriptor>> {
        let known = descriptor::use_cases(root)?;
        let chosen = match self.use_cases.as_slice() {
            [] => &known,
            chosen => chosen,
        };
        let mut descriptors = Vec::new();
        for name in chosen {
            if !known.contains(name) {
                bail!(
                    "there is no use case {name:?}; known are: {}",
                    known.join(", ")
                );
            }
            descriptors.extend(descriptor::read_folder(&root.join("pipelines").join(name))?);
        }
        descriptor::ordered(descriptors)
    }

    fn pachctl(&self) -> Result<Pachctl> {
        Pachctl::new(self.pachctl.clone(), self.project.clone())
    }
}
