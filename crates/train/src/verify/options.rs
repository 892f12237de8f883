//! The command line of `train verify`.

use std::path::PathBuf;

use clap::Parser;
use model::Manifest;

use crate::{EngineOptions, TrainingOptions};

const AFTER_HELP: &str = "\
Examples:
  Whether the data and this program still give the package that is served:
    train verify out/model --data data

  The same of a commit, on a machine that can reach the cluster:
    pachctl get file -r iris-model@COMMIT:/model -o model
    pachctl get file -r iris-data@DATA_COMMIT:/ -o data
    train verify model --data data --json

It says on standard output which of the recorded data files, settings and programs
differ, then makes the package again in a temporary folder and says of every file
whether it is equal, byte for byte.

Exit status: 0 every file is equal; 1 one differs, or it could not be made again.";

/// Makes a published model again by what its package records, and compares.
#[derive(Debug, Clone, Parser)]
#[command(name = "verify", after_help = AFTER_HELP)]
pub struct VerifyOptions {
    /// The package: the folder with model.json.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,

    /// The folder with the data, as it was in the recorded commit.
    #[arg(long, env = "TRAIN_DATA", value_name = "DIR")]
    pub data: PathBuf,

    /// Another experiment file than the settings that the package records.
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// The package of the model that this one has continued, where it was trained with
    /// `mode: delta`.
    #[arg(long, env = "TRAIN_LAST_MODEL", value_name = "DIR")]
    pub last_model: Option<PathBuf>,

    /// The package of the version before, where the report compares with it.
    #[arg(long, env = "TRAIN_PREVIOUS", value_name = "DIR")]
    pub previous: Option<PathBuf>,

    /// The folder that stands for /pfs, where the experiment names a backbone there.
    #[arg(long, env = "PFS_ROOT", value_name = "DIR", default_value = "/pfs")]
    pub pfs: PathBuf,

    /// The folder that holds the backbones that an experiment names.
    #[arg(
        long,
        env = "TRAIN_BACKBONES",
        value_name = "DIR",
        default_value = ".local/backbones"
    )]
    pub backbones: PathBuf,

    /// What embeds; by itself, what is recorded.
    #[command(flatten)]
    pub engine: EngineOptions,

    /// The image that this program runs in.
    #[arg(long, env = "TRAIN_IMAGE", value_name = "REFERENCE")]
    pub image: Option<String>,

    /// The commit of this program's source.
    #[arg(long, env = "SOURCE_REVISION", value_name = "COMMIT")]
    pub revision: Option<String>,

    /// Gives the result as one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl VerifyOptions {
    /// The options of the training that made the package with this description.
    pub(super) fn training(&self, manifest: &Manifest) -> TrainingOptions {
        let from = &manifest.provenance;
        TrainingOptions {
            repo: from.repo.clone(),
            model: manifest.name.clone(),
            config: self.config.clone(),
            input: from.input.clone(),
            data: Some(self.data.clone()),
            pfs: self.pfs.clone(),
            backbones: self.backbones.clone(),
            // What was kept before would not be made again.
            cache: None,
            engine: self.engine.like(from.engine.as_deref()),
            last_model: self.last_model.clone(),
            continues_none: from.base.is_none(),
            peer_port: None,
            previous: self.previous.clone(),
            job_id: Some(manifest.version.clone()),
            pipeline: Some(from.pipeline.clone()),
            project: None,
            output_commit: None,
            image: self.image.clone(),
            revision: self.revision.clone(),
        }
    }
}
