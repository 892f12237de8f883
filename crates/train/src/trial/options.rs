//! The command line of `train trial`.

use clap::Parser;
use model::Digest;

use crate::TrainingOptions;

const AFTER_HELP: &str = "\
Examples:
  As `train --engine determined` lets a task start it, in the folder of the context:
    ./train trial --repo dogs --model dogs --job-id 3f1c0a5e --pfs pfs \\
      --config experiment.yaml

It needs the environment that Determined gives to the tasks of a trial (DET_MASTER,
DET_SESSION_TOKEN, DET_TRIAL_ID and so on), and the storage of its checkpoints.

Exit status: 0 trained and reported, or made room when the master asked; 1 failed.";

/// Trains as a trial of Determined: in a task of a cluster, reporting to its master.
#[derive(Debug, Clone, Parser)]
#[command(name = "trial", after_help = AFTER_HELP)]
pub struct TrialOptions {
    /// What every training takes.
    #[command(flatten)]
    pub training: TrainingOptions,

    /// The commit of the data, for model-info.yaml.
    #[arg(long, value_name = "ID")]
    pub data_commit: Option<String>,

    /// What the data must be: the digest over the paths and digests of its files.
    #[arg(long, value_name = "DIGEST")]
    pub data_digest: Option<Digest>,
}
