//! The command line of `train`; every flag is also an environment variable.

use std::path::{Path, PathBuf};

use clap::builder::ArgPredicate;
use clap::{Parser, ValueEnum};

use crate::determined::DeterminedOptions;
use crate::engine::EngineOptions;
use crate::registering::RegistryOptions;

const AFTER_HELP: &str = "\
Examples:
  In a Pachyderm pipeline, whose worker gives the environment:
    train --repo iris-data --model iris --config /pfs/experiment/experiment.yaml

  On a laptop, with DIR/data holding the CSV files and DIR/out an empty folder:
    train --repo iris-data --model iris --config experiment.yaml --pfs DIR

  The same, and the version goes into a registry, whose latest moves only to a model
  that is no worse; AWS_ACCESS_KEY_ID and the like are in the environment:
    train --repo iris-data --model iris --registry s3://models/team \
      --promote-if 'accuracy >= previous'

  On a Determined cluster, with DET_PASSWORD and PAC_TOKEN in the environment:
    train --engine determined --det-master https://det.example --det-user ann \
      --repo dogs --model dogs --code /pfs/code --config const.yaml

  The same with the code of a git repository, private with GIT_TOKEN:
    train --git-url https://git.example/team/dogs.git --git-ref main \
      --sub-dir experiment --config const.yaml --repo dogs --model dogs

  There without other code, this program being the experiment; cluster.yaml, which
  may be left out, is Determined's configuration:
    train --engine determined --det-master https://det.example --det-user ann \
      --repo iris-data --model iris --config experiment.yaml --det-config cluster.yaml

  Here, while the Determined master records run, metrics and checkpoint:
    train --engine determined --detached --det-master https://det.example \
      --det-user ann --repo iris-data --model iris --config experiment.yaml

It reads every *.csv and *.tsv below /pfs/<input> (on a backbone also pictures, or *.txt
files in folders named after their classes), holds a share of the rows out, fits a
model to the rest, and writes /pfs/out/model (the package, with report.html) and
then /pfs/out/model-info.yaml. A failed run leaves neither.

The experiment file, with its defaults; every key may be left out:
  target: <the last column>     # the column to predict
  leave_out: []                 # columns that the model must not see
  numeric: []                   # columns to be taken as numbers
  categorical: []               # columns to be taken as categories
  task: <by the target>         # classification or regression
  split: 0.2                    # the share of rows held out for measuring
  seed: 0                       # of the choice of these rows
  delimiter: what the first line has, ',' first
  hyperparameters:
    l2: 1.0                     # strength of the L2 penalty
    class_weights: none         # or balanced: every class counts the same
    max_iterations: 1000
    tolerance: 1e-6             # of the mean gradient, where the fit stops
  search:                       # what cross-validation chooses from
    models: [linear, trees]
    l2: [hyperparameters.l2]    # of the linear model
    folds: 5                    # parts of the cross-validation
  mode: all                     # or delta: continue the last model with what is new
  keep: 0.1                     # the share of the old rows that delta learns from again
  promote_if: <always>          # with --registry: accuracy >= previous

Pictures or texts instead of a table, on a pretrained backbone:
  backbone: <none>              # a name below --backbones, a folder with a /, or the
                                # URL of one, as s3://models/efficientnet
  labels: <where it is clear>   # of pictures and text files: folder, prefix of the name,
                                # or csv
  content: <text, or file>      # the column of the texts or of the pictures
  max_broken: 0.05              # the share of pictures or text files that may be broken
  search:
    heads: <by the data>        # linear, mlp, kernel; cross-validation chooses
    l2: [1, 10, 100, 1000]      # of the linear head

Exit status: 0 published, or this version was published before; 1 refused or
failed; 2 wrong usage.";

/// Trains a model on the commit in /pfs/data and publishes its package.
#[derive(Debug, Parser)]
#[command(name = "train", version, after_help = AFTER_HELP)]
pub struct Args {
    /// What every training takes.
    #[command(flatten)]
    pub training: TrainingOptions,

    /// Where versions are kept.
    #[command(flatten)]
    pub registry: RegistryOptions,

    /// Where the training runs.
    #[arg(
        long,
        env = "TRAIN_ENGINE",
        value_enum,
        default_value_t = Engine::Local,
        default_value_if("git_url", ArgPredicate::IsPresent, "determined")
    )]
    pub engine: Engine,

    /// What only `--engine determined` takes.
    #[command(flatten)]
    pub determined: DeterminedOptions,
}

/// What every training takes, wherever it runs.
#[derive(Debug, Clone, clap::Args)]
pub struct TrainingOptions {
    /// The data repo that the pipeline reads, for model-info.yaml.
    #[arg(long, env = "TRAIN_REPO", value_name = "R", value_parser = name)]
    pub repo: String,

    /// The name under which the model is registered and served.
    #[arg(long, env = "TRAIN_MODEL", value_name = "M", value_parser = name)]
    pub model: String,

    /// The experiment file; without it every setting has its default.
    #[arg(long, env = "TRAIN_CONFIG", value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// The input that holds the data: its files lie in /pfs/<INPUT>.
    #[arg(long, env = "TRAIN_INPUT", default_value = "data", value_parser = name)]
    pub input: String,

    /// The folder with the data, if it is not /pfs/<INPUT>.
    #[arg(long, env = "TRAIN_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// The folder that stands for /pfs; paths below /pfs are taken below it.
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

    /// A folder to keep embeddings in, so that a second training of the same
    /// pictures or texts need not make them again, and a backbone that was fetched; on a
    /// Determined cluster, one that the tasks have.
    #[arg(long, env = "TRAIN_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,

    /// What embeds.
    #[command(flatten)]
    pub engine: EngineOptions,

    /// The package of the last successful model, or the folder that holds it as `model`,
    /// which `mode: delta` continues; where there is none yet, it learns from everything.
    /// A Pachyderm worker asks Pachyderm.
    #[arg(long, env = "TRAIN_LAST_MODEL", value_name = "DIR")]
    pub last_model: Option<PathBuf>,

    /// Whether it is known that no model is continued, whatever the mode is.
    #[arg(skip)]
    pub continues_none: bool,

    /// The port on 127.0.0.1 where a worker's own Pachyderm is asked for the last model.
    #[arg(long, env = "PEER_PORT", value_name = "PORT")]
    pub peer_port: Option<u16>,

    /// The package of the version before, or the folder that holds it as `model`: the
    /// report compares with it. An empty folder holds none yet.
    #[arg(long, env = "TRAIN_PREVIOUS", value_name = "DIR")]
    pub previous: Option<PathBuf>,

    /// The version's name. Without it, one that is derived from the data, the
    /// settings and the program: the same version for the same inputs.
    #[arg(long, env = "PACH_JOB_ID", value_name = "ID", value_parser = name)]
    pub job_id: Option<String>,

    /// The training pipeline, for model-info.yaml; without it, the model's name.
    #[arg(long, env = "PPS_PIPELINE_NAME", value_name = "NAME", value_parser = name)]
    pub pipeline: Option<String>,

    /// The project of the pipeline, for the package's URI.
    #[arg(long, env = "PPS_PROJECT_NAME", value_name = "NAME")]
    pub project: Option<String>,

    /// The output commit, for the package's URI; without it there is no URI.
    #[arg(long, env = "PACH_OUTPUT_COMMIT_ID", value_name = "ID")]
    pub output_commit: Option<String>,

    /// The image that this program runs in, for the package's provenance: no program
    /// can find that out itself, so the descriptor says it under transform.env.
    #[arg(long, env = "TRAIN_IMAGE", value_name = "REFERENCE")]
    pub image: Option<String>,

    /// The commit of this program's source, for the package's provenance; the image
    /// has it in its environment.
    #[arg(long, env = "SOURCE_REVISION", value_name = "COMMIT")]
    pub revision: Option<String>,
}

/// Where the training runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// In this process, on the CPU: a linear model or trees of a table, or the head
    /// of a backbone of pictures or texts.
    Local,
    /// On a Determined cluster, as an experiment with code of its own.
    Determined,
}

impl TrainingOptions {
    /// `path` with a leading `/pfs` replaced by the folder that stands for it.
    pub(crate) fn below_pfs(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("/pfs") {
            Ok(rest) => self.pfs.join(rest),
            Err(_) => path.to_owned(),
        }
    }

    /// The folder with the data.
    pub(crate) fn data_folder(&self) -> PathBuf {
        match &self.data {
            Some(folder) => self.below_pfs(folder),
            None => self.pfs.join(&self.input),
        }
    }

    /// The folder that becomes the output commit.
    pub(crate) fn out_folder(&self) -> PathBuf {
        self.pfs.join("out")
    }
}

/// Names become parts of paths and URLs: anything else is refused at once.
fn name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("a name starts with a letter or digit and has letters, digits, '-', '_' and '.'".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &[&str]) -> Args {
        let base = ["train", "--repo", "r", "--model", "m"];
        Args::try_parse_from(base.iter().chain(more)).unwrap()
    }

    #[test]
    fn only_paths_below_pfs_are_moved() {
        let args = parse(&["--pfs", "/tmp/x"]);
        let moved = |path: &str| args.training.below_pfs(Path::new(path));
        assert_eq!(
            moved("/pfs/experiment/e.yaml"),
            Path::new("/tmp/x/experiment/e.yaml")
        );
        assert_eq!(moved("/pfsx/e.yaml"), Path::new("/pfsx/e.yaml"));
        assert_eq!(moved("e.yaml"), Path::new("e.yaml"));
    }

    /// As pipelines pass it that know no --engine.
    #[test]
    fn a_repository_implies_the_engine() {
        assert_eq!(parse(&[]).engine, Engine::Local);
        assert_eq!(parse(&["--git-url", "u"]).engine, Engine::Determined);
    }

    #[test]
    fn names_that_would_break_a_path_are_refused() {
        for wrong in ["", "../x", "a/b", "-x", "a b"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
        assert!(name("iris-2_b.c").is_ok());
    }
}
