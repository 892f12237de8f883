//! What Seldon says of the pod and its graph.

use std::path::PathBuf;

use clap::ArgAction;
use clap::builder::BoolishValueParser;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Seldon")]
pub(in crate::run) struct PodArgs {
    /// The graph's parameters: a JSON list of {name, value, type}.
    ///
    /// model_digest, model_name and model_version must be those of the package.
    /// det_master, user and password are used where DET_MASTER, DET_USER and
    /// DET_PASSWORD are not set.
    #[arg(
        long,
        env = "PREDICTIVE_UNIT_PARAMETERS",
        value_name = "JSON",
        default_value = "[]",
        hide_env_values = true
    )]
    pub(in crate::run) parameters: String,
    /// The container's name: a second name of the model, and the key of
    /// requestPath in replies.
    #[arg(long, env = "PREDICTIVE_UNIT_ID", value_name = "NAME")]
    pub(in crate::run) unit_id: Option<String>,
    /// The container's image, for requestPath and metrics.
    #[arg(long, env = "PREDICTIVE_UNIT_IMAGE", value_name = "IMAGE")]
    pub(in crate::run) unit_image: Option<String>,
    /// The predictor's name, for metrics.
    #[arg(long, env = "PREDICTOR_ID", value_name = "NAME")]
    pub(in crate::run) predictor_id: Option<String>,
    /// The predictor's labels as JSON; its version goes into the metrics.
    #[arg(long, env = "PREDICTOR_LABELS", value_name = "JSON")]
    pub(in crate::run) predictor_labels: Option<String>,
    /// The SeldonDeployment's name, for metrics.
    #[arg(long, env = "SELDON_DEPLOYMENT_ID", value_name = "NAME")]
    pub(in crate::run) deployment_id: Option<String>,
    /// Seldon's model metadata as YAML, whose keys replace the package's.
    #[arg(long, env = "MODEL_METADATA", value_name = "YAML")]
    pub(in crate::run) metadata: Option<String>,
    /// Whether replies repeat the metrics of requests.
    #[arg(
        long,
        env = "INCLUDE_METRICS_IN_CLIENT_RESPONSE",
        value_name = "BOOL",
        default_value = "true",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new()
    )]
    pub(in crate::run) metrics_in_response: bool,
    /// The pod's annotations, as Kubernetes writes them into a file. Without
    /// the file there are none.
    #[arg(
        long,
        env = "SERVE_ANNOTATIONS",
        value_name = "FILE",
        default_value = "/etc/podinfo/annotations"
    )]
    pub(in crate::run) annotations: PathBuf,
}
