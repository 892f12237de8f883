//! `cargo xtask local`: a use case the whole way, without a cluster.

mod datum;
mod docker;
mod job;
mod launch;
mod plan;
mod predict;
mod process;
mod publish;
mod repo;
mod run;
mod secrets;
mod serving;
mod state;
mod support;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::interrupt;
use crate::workspace::Workspace;

const EXAMPLES: &str = "\
Examples:
  cargo xtask local iris                  run all, then serve until Ctrl-C
  cargo xtask local iris --once           run all, show one prediction, end
  cargo xtask local iris --docker         the same in the built images
  cargo xtask local iris --data new.csv   other data: a new version
  cargo xtask local iris --reprocess      run the pipelines again on the same data

Started a second time while it serves, it makes the first one switch to the new
version. Everything is kept in .local/<use case>/: delete that folder to forget it.";

/// Run a use case the whole way, from its data to a served prediction.
///
/// Reads the descriptors of the use case as Pachyderm would, runs what has
/// new input, and serves the manifest that comes out of it as Seldon would.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A folder of pipelines/.
    use_case: String,
    /// End after the prediction.
    #[arg(long)]
    once: bool,
    /// Run the images in containers instead of the programs as processes.
    #[arg(long)]
    docker: bool,
    /// Take the input called "data" from this file or folder.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The port to serve on [default: 9000, or a free one].
    #[arg(long)]
    port: Option<u16>,
    /// Run all pipelines again, or one, also on input that they have processed.
    #[arg(long, value_name = "PIPELINE", num_args = 0..=1, require_equals = true)]
    #[expect(
        clippy::option_option,
        reason = "clap's way to say: absent, bare, with a value"
    )]
    reprocess: Option<Option<String>>,
}

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> anyhow::Result<ExitCode> {
        interrupt::listen()?;
        run::run(&self, workspace)
    }
}
