//! Which models are served.

use std::path::PathBuf;

use clap::ArgAction;
use clap::builder::BoolishValueParser;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Models")]
pub(in crate::run) struct ModelArgs {
    /// The folder of a model package, or one with several packages in it
    /// [default: /mnt/models]. With --registry, NAME or NAME:VERSION of a model there,
    /// the version by its name, its number, or latest.
    #[arg(long, env = "MLSERVER_MODEL_URI", value_name = "DIR")]
    pub(in crate::run) model: Option<String>,
    /// Used where --model is not given: a folder of packages, maybe still empty.
    #[arg(long, env = "MLSERVER_MODELS_DIR", hide = true)]
    pub(in crate::run) mlserver_models_dir: Option<String>,
    /// Whether to load at the start, or only when asked by a repository call.
    #[arg(
        long,
        env = "MLSERVER_LOAD_MODELS_AT_STARTUP",
        value_name = "BOOL",
        default_value = "true",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new()
    )]
    pub(in crate::run) load_at_start: bool,
    /// Look every second whether the folder has another or a new package, and
    /// switch to it once it is whole and ready; with --registry, whether latest has
    /// moved (--registry-poll).
    #[arg(long, env = "SERVE_WATCH", value_parser = BoolishValueParser::new())]
    pub(in crate::run) watch: bool,
    /// Serve the conformance model instead of a package: it returns its input.
    ///
    /// For trying clients. Predictions and transforms answer with what they got,
    /// routes with 1, aggregates with the mean; strData "boom" fails with "user
    /// model failed", and the tag "emit": true adds a tag and three metrics.
    #[arg(long, env = "SERVE_ECHO", value_parser = BoolishValueParser::new())]
    pub(in crate::run) echo: bool,
    /// Where a --model that starts with /pfs/ lies.
    #[arg(long, env = "PFS_ROOT", value_name = "DIR", default_value = "/pfs")]
    pub(in crate::run) pfs: PathBuf,
    /// The name that the model must have, or has in the registry; without it, the
    /// parameter model_name.
    #[arg(long, env = "SERVE_MODEL_NAME", value_name = "NAME")]
    pub(in crate::run) model_name: Option<String>,
    /// The version that the model must have. In the registry, the version's name,
    /// its number, or latest. Without it, the parameter model_version.
    #[arg(long, env = "SERVE_MODEL_VERSION", value_name = "VERSION")]
    pub(in crate::run) model_version: Option<String>,
    /// The registry that train publishes to: file:///FOLDER, s3://BUCKET/FOLDER,
    /// gs://BUCKET/FOLDER or az://CONTAINER/FOLDER.
    ///
    /// Credentials are read from the environment, as the clouds' own tools read them.
    #[arg(
        long,
        env = "SERVE_REGISTRY",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(in crate::run) registry: Option<String>,
    /// The time between two looks at the registry with --watch.
    #[arg(
        long,
        env = "SERVE_REGISTRY_POLL",
        value_name = "SECONDS",
        default_value = "30"
    )]
    pub(in crate::run) registry_poll: f64,
    /// Without --model: the Determined master whose model registry has the model.
    ///
    /// TLS is set by DET_MASTER_CERT_FILE and DET_MASTER_CERT_NAME.
    #[arg(long, env = "DET_MASTER", value_name = "URL")]
    pub(in crate::run) det_master: Option<String>,
    /// The user at the master; the password is in DET_PASSWORD, or a token in
    /// DET_USER_TOKEN.
    #[arg(long, env = "DET_USER", value_name = "NAME")]
    pub(in crate::run) det_user: Option<String>,
    /// How long to go on trying at the start while the master, or the registry, is away.
    #[arg(
        long,
        env = "SERVE_DET_PATIENCE",
        value_name = "SECONDS",
        default_value = "300"
    )]
    pub(in crate::run) det_patience: f64,
    /// Where packages of the registry are kept, for the next start.
    #[arg(
        long,
        env = "SERVE_CACHE",
        value_name = "DIR",
        default_value = "/cache"
    )]
    pub(in crate::run) cache: PathBuf,
}
