//! `cargo xtask local`: a use case the whole way, without a cluster.

mod archive;
mod ask;
mod datum;
mod docker;
mod glob;
mod index;
mod job;
mod launch;
mod masking;
mod objects;
mod plan;
mod predict;
mod process;
mod publish;
mod repo;
mod run;
mod serving;
mod state;
mod support;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use self::ask::Question;
pub(crate) use self::plan::sample;
use crate::interrupt;
use crate::workspace::Workspace;

const EXAMPLES: &str = "\
Examples:
  cargo xtask local iris                  run all, then serve until Ctrl-C
  cargo xtask local iris --once           run all, show one prediction, end
  cargo xtask local iris --docker         the same in the built images
  cargo xtask local iris --data new.csv   other data: a new version
  cargo xtask local image-classification --data photos/
                                          pictures in a folder for each class
  cargo xtask local sentiment-analysis --data phrases.csv
                                          texts with a class each
  cargo xtask local iris --watch          run again whenever the data changes
  cargo xtask local iris --reprocess      run the pipelines again on the same data

Started a second time while it serves, it makes the first one switch to the new
version. Everything is kept in .local/<use case>/; see status, logs and diff, and rm to forget it.";

/// Run a use case the whole way, from its data to a served prediction.
///
/// Reads the descriptors of the use case as Pachyderm would, runs what has
/// new input, and serves the manifest that comes out of it as Seldon would.
#[derive(Debug, clap::Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    question: Option<Question>,
    #[command(flatten)]
    run: Run,
}

/// What is run, and how.
#[derive(Debug, clap::Args)]
struct Run {
    /// A folder of pipelines/.
    #[arg(required = true)]
    use_case: Option<String>,
    /// End after the prediction.
    #[arg(long)]
    once: bool,
    /// Run the images in containers instead of the programs as processes.
    #[arg(long)]
    docker: bool,
    /// Stay, and run again whenever the data changes.
    #[arg(long, conflicts_with = "once")]
    watch: bool,
    /// Take the input called "data" from this file, folder or archive (.tar, .tar.gz, .zip).
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
        if let Some(question) = self.question {
            return question.answer(workspace);
        }
        interrupt::listen()?;
        run::run(&self.run, workspace)
    }
}

impl Run {
    /// The folder of pipelines/; clap asks for it.
    fn use_case(&self) -> &str {
        self.use_case.as_deref().unwrap_or_default()
    }
}
