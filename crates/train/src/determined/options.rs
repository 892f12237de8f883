//! The options of `--engine determined`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use determined::Settings;

use super::secrets::Secrets;

/// Options that only `--engine determined` takes.
///
/// Secrets have no flag, as command lines are visible: the password is in
/// `DET_PASSWORD` (or `DET_PASS`), a token in `DET_USER_TOKEN`, Pachyderm's in
/// `PAC_TOKEN` (or `PACH_TOKEN`), and that of a git server in `GIT_TOKEN` (or
/// `GIT_PASSWORD`).
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "With --engine determined")]
pub struct DeterminedOptions {
    /// The master's address; without it, DET_MASTER_ADDR or localhost:8080. TLS is
    /// set by DET_MASTER_CERT_FILE and DET_MASTER_CERT_NAME.
    #[arg(long, env = "DET_MASTER", value_name = "URL")]
    pub det_master: Option<String>,

    /// The user; the password is in DET_PASSWORD, or a token in DET_USER_TOKEN.
    #[arg(long, env = "DET_USER", value_name = "NAME")]
    pub det_user: Option<String>,

    /// The folder with the experiment's code, as an input repo; --config is then
    /// looked up in it. Without code, this program is the experiment: it sends
    /// itself, and --config is its own experiment file.
    #[arg(long, env = "TRAIN_CODE", value_name = "DIR")]
    pub code: Option<PathBuf>,

    /// Or the git repository with the experiment's code, by its https:// address; it
    /// implies --engine determined. A private one is read with the token in GIT_TOKEN
    /// (or GIT_PASSWORD). For ssh there is no key: take a deploy token.
    #[arg(long, env = "TRAIN_GIT_URL", value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub git_url: Option<String>,

    /// Its branch, tag or commit; without it, the server's default branch. A commit
    /// has 40 hex digits; for fewer, from 7 on, the whole history may be fetched.
    #[arg(long, env = "TRAIN_GIT_REF", value_name = "REF", requires = "git_url")]
    pub git_ref: Option<String>,

    /// The user beside the token, where the server wants a certain one, as for a
    /// deploy token of GitLab.
    #[arg(long, env = "GIT_USERNAME", value_name = "NAME")]
    pub git_user: Option<String>,

    /// A file that holds the token, as a mounted secret, instead of GIT_TOKEN.
    #[arg(long, env = "GIT_TOKEN_FILE", value_name = "PATH")]
    pub git_token_file: Option<PathBuf>,

    /// The folder of the repository, or of --code, that is the experiment.
    #[arg(long, env = "TRAIN_SUB_DIR", value_name = "DIR")]
    pub sub_dir: Option<PathBuf>,

    /// Determined's configuration where this program is the experiment, or with
    /// --detached: image, resources, checkpoint_storage and so on. Every key may be
    /// left out.
    #[arg(long, env = "TRAIN_DET_CONFIG", value_name = "PATH")]
    pub det_config: Option<PathBuf>,

    /// A folder in which the tasks have the data, as a bind mount; without it, the
    /// data is sent along with the program.
    #[arg(long, env = "TRAIN_DET_DATA", value_name = "DIR")]
    pub det_data: Option<PathBuf>,

    /// The program that is sent, a build of train for the cluster's machines;
    /// without it, this one.
    #[arg(long, env = "TRAIN_PROGRAM", value_name = "PATH")]
    pub program: Option<PathBuf>,

    /// Train in this process, as --engine local does, while the master records the
    /// run, its metrics and its checkpoint.
    #[arg(long, env = "TRAIN_DETACHED", conflicts_with_all = ["code", "git_url", "fork", "det_data", "program"])]
    pub detached: bool,

    /// Continue the experiment of the latest registered version with that
    /// experiment's code, as a fork. Otherwise the code given here continues its
    /// checkpoint.
    #[arg(long, env = "TRAIN_FORK", conflicts_with = "fresh")]
    pub fork: bool,

    /// Do not continue the latest registered version: start from nothing.
    #[arg(long, env = "TRAIN_FRESH")]
    pub fresh: bool,

    /// What to do when somebody pauses the experiment.
    #[arg(long, env = "TRAIN_ON_PAUSE", value_enum, default_value_t = OnPause::Wait)]
    pub on_pause: OnPause,

    /// What to do with the experiment on SIGTERM or Ctrl-C. One that is left is
    /// found again by the next attempt of the same job.
    #[arg(long, env = "TRAIN_ON_SIGTERM", value_enum, default_value_t = OnSigterm::Leave)]
    pub on_sigterm: OnSigterm,

    /// How long the experiment may wait in the cluster's queue before it is
    /// cancelled, as 2h; without it, for ever.
    #[arg(long, env = "TRAIN_QUEUE_LIMIT", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub queue_limit: Option<Duration>,

    /// How often the experiment is looked at.
    #[arg(long, env = "TRAIN_POLL", value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    pub poll: Duration,

    /// Where the files of the best checkpoint are fetched.
    #[arg(long, env = "TRAIN_CHECKPOINT_FROM", value_enum, default_value_t = CheckpointFrom::Either)]
    pub checkpoint_from: CheckpointFrom,

    /// The host of pachd that the experiment reads its data from; without it,
    /// PACHD_SERVICE_HOST.
    #[arg(long, env = "PACHD_LB_SERVICE_HOST", value_name = "HOST")]
    pub pachd_host: Option<String>,

    /// Its port; without it, PACHD_SERVICE_PORT.
    #[arg(long, env = "PACHD_LB_SERVICE_PORT", value_name = "PORT")]
    pub pachd_port: Option<String>,

    /// Give Pachyderm's token also as data.pachyderm.token, where existing
    /// experiments read it and everybody who can see the experiment can too.
    #[arg(long, env = "TRAIN_EXPOSE_TOKEN")]
    pub expose_token: bool,
}

/// What to do when somebody pauses the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnPause {
    /// Wait until it goes on, with a warning.
    Wait,
    /// Fail, and leave it paused.
    Fail,
}

/// What to do with the experiment on SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnSigterm {
    /// Let it run: the pod is evicted, and its successor takes the experiment over.
    Leave,
    /// Cancel it: the job is stopped for good.
    Cancel,
}

/// Where the files of the best checkpoint are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckpointFrom {
    /// From the master; directly from the storage where the master cannot read it.
    Either,
    /// From the master, which has the credentials.
    Master,
    /// Directly from the storage, with the credentials in AWS_…, GOOGLE_… or AZURE_….
    Storage,
}

impl From<CheckpointFrom> for ::determined::CheckpointFrom {
    fn from(given: CheckpointFrom) -> Self {
        match given {
            CheckpointFrom::Either => Self::Either,
            CheckpointFrom::Master => Self::Master,
            CheckpointFrom::Storage => Self::Storage,
        }
    }
}

/// A variable of the environment that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(super) fn given(value: Option<&String>) -> Option<String> {
    value.filter(|text| !text.is_empty()).cloned()
}

impl DeterminedOptions {
    /// How the master is reached; learns the secrets that this takes.
    pub(super) fn settings(&self, secrets: &mut Secrets) -> Result<Settings> {
        for name in ["DET_PASSWORD", "DET_PASS", "DET_USER_TOKEN"] {
            secrets.learn(&variable(name).unwrap_or_default());
        }
        let settings = Settings::from_variables(|name| match name {
            "DET_MASTER" => given(self.det_master.as_ref()),
            "DET_USER" => given(self.det_user.as_ref()),
            other => variable(other),
        });
        settings.context("cannot use the settings of the Determined master")
    }

    /// Host and port of pachd, where known.
    pub(super) fn pachd(&self) -> (Option<String>, Option<String>) {
        let host = given(self.pachd_host.as_ref()).or_else(|| variable("PACHD_SERVICE_HOST"));
        let port = given(self.pachd_port.as_ref()).or_else(|| variable("PACHD_SERVICE_PORT"));
        (host, port)
    }

    /// Whether this program is the experiment's code, as no other is given.
    pub(super) fn sends_itself(&self) -> bool {
        self.code.is_none() && given(self.git_url.as_ref()).is_none()
    }
}
