//! The command line. Every flag is also an environment variable, where Seldon
//! injects one, under its name.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, CommandFactory, Parser, Subcommand, ValueEnum};
use model::Choice;

use crate::events::Payloads;

const EXAMPLES: &str = "\
Examples:
  serve --model pipelines/iris/model       serve a package on port 9000
  serve --model model --http-port 8080     on another port
  serve --model models --watch             every package below models, also later ones
  serve --registry s3://models/team --model iris --watch --cache /tmp/serve
                                           the latest version of a registry, and later ones
  serve --registry file:///srv/models --model iris:7 --cache /tmp/serve
                                           its version 7
  serve --det-master det.example --det-user ann --model-name dogs --model-version latest \\
        --cache /tmp/serve                 a version of a Determined cluster's registry
  serve --echo                             the conformance model, to try a client
  curl -H 'Content-Type: application/json' localhost:9000/api/v1.0/predictions \\
       -d '{\"data\": {\"ndarray\": [[5.1, 3.5, 1.4, 0.2]]}}'

Exit status: 0 after an orderly end, 1 when the model cannot be loaded or served,
2 for a wrong flag or variable.";

/// Serves a model package: Seldon v1 and Open Inference Protocol.
#[derive(Debug, Parser)]
#[command(name = "serve", disable_version_flag = true, after_help = EXAMPLES, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true, args_override_self = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Print the version and the engine that models run on.
    #[arg(short = 'V', long)]
    pub(super) version: bool,
    #[command(flatten)]
    pub(super) args: Args,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Do nothing, successfully: a preStop hook for images without a shell.
    ///
    /// Without a hook of its own, a container gets one from Seldon's operator
    /// that needs /bin/sh and fails here. The waiting that such a hook is for is
    /// done by the server itself on SIGTERM (--drain-delay), with its readiness
    /// already off, so that the hook need not spend the pod's grace period.
    ///
    /// Example, in the pod: lifecycle: {preStop: {exec: {command: [/serve, prestop]}}}
    #[command(verbatim_doc_comment)]
    Prestop,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of a model package, or one with several packages in it
    /// [default: /mnt/models]. With --registry, NAME or NAME:VERSION of a model there,
    /// the version by its name, its number, or latest.
    #[arg(long, env = "MLSERVER_MODEL_URI", value_name = "DIR")]
    pub(super) model: Option<String>,
    /// Used where --model is not given: a folder of packages, maybe still empty.
    #[arg(long, env = "MLSERVER_MODELS_DIR", hide = true)]
    pub(super) mlserver_models_dir: Option<String>,
    /// Whether to load at the start, or only when asked by a repository call.
    #[arg(
        long,
        env = "MLSERVER_LOAD_MODELS_AT_STARTUP",
        value_name = "BOOL",
        default_value = "true",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new()
    )]
    pub(super) load_at_start: bool,
    /// Look every second whether the folder has another or a new package, and
    /// switch to it once it is whole and ready; with --registry, whether latest has
    /// moved (--registry-poll).
    #[arg(long, env = "SERVE_WATCH", value_parser = BoolishValueParser::new())]
    pub(super) watch: bool,
    /// Serve the conformance model instead of a package: it returns its input.
    ///
    /// For trying clients. Predictions and transforms answer with what they got,
    /// routes with 1, aggregates with the mean; strData "boom" fails with "user
    /// model failed", and the tag "emit": true adds a tag and three metrics.
    #[arg(long, env = "SERVE_ECHO", value_parser = BoolishValueParser::new())]
    pub(super) echo: bool,
    /// Whether the page for people is at /: the model's card, a form to try it, and
    /// live figures.
    #[arg(
        long,
        env = "SERVE_PAGE",
        value_name = "BOOL",
        default_value = "true",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new()
    )]
    pub(super) page: bool,
    /// Requests to a model that are tested together for drift; 0 turns this and
    /// the outlier scores off.
    #[arg(
        long,
        env = "SERVE_DETECT_BATCH_SIZE",
        value_name = "N",
        default_value = "200"
    )]
    pub(super) detect_batch_size: usize,
    /// The probability with which requests like the training data may be called
    /// drifted, in each test.
    #[arg(
        long,
        env = "SERVE_DRIFT_LEVEL",
        value_name = "P",
        default_value = "0.05"
    )]
    pub(super) drift_level: f64,
    /// An http URL that gets a CloudEvent for each request that has an outlier
    /// score and each test for drift, as from Seldon's detectors; for deployments
    /// without them.
    #[arg(long, env = "SERVE_EVENT_SINK", value_name = "URL")]
    pub(super) event_sink: Option<String>,
    /// Which payloads of REST requests that sink gets too, as from Seldon's
    /// orchestrator; for deployments without it.
    #[arg(
        long,
        env = "SERVE_LOG_PAYLOADS",
        value_name = "WHICH",
        default_value = "none",
        ignore_case = true
    )]
    pub(super) log_payloads: Payloads,
    /// The http URL of a collector of OpenTelemetry, which gets a span for each request
    /// to a model (OTLP over HTTP, mostly at port 4318).
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(super) otlp_endpoint: Option<String>,
    /// Used instead of it where it is given: the whole URL that spans are posted to.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", hide = true)]
    pub(super) otlp_traces_endpoint: Option<String>,
    /// Where a --model that starts with /pfs/ lies.
    #[arg(long, env = "PFS_ROOT", value_name = "DIR", default_value = "/pfs")]
    pub(super) pfs: PathBuf,
    /// The address to listen on.
    #[arg(long, env = "SERVE_HOST", value_name = "IP", default_value = "0.0.0.0")]
    pub(super) host: IpAddr,
    /// The port of both protocols; 0 takes a free one and logs it [default: 9000].
    #[arg(long, env = "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", value_name = "PORT")]
    pub(super) http_port: Option<u16>,
    /// Used where --http-port is not given.
    #[arg(long, env = "MLSERVER_HTTP_PORT", hide = true)]
    pub(super) mlserver_http_port: Option<u16>,
    /// Used where none of the two is given: Knative sets it.
    #[arg(long, env = "PORT", hide = true)]
    pub(super) port: Option<u16>,
    /// The port of gRPC; 0 takes a free one and logs it [default: 9500].
    #[arg(long, env = "PREDICTIVE_UNIT_GRPC_SERVICE_PORT", value_name = "PORT")]
    pub(super) grpc_port: Option<u16>,
    /// Used where --grpc-port is not given.
    #[arg(long, env = "MLSERVER_GRPC_PORT", hide = true)]
    pub(super) mlserver_grpc_port: Option<u16>,
    /// 0 opens no port for gRPC; another number has no meaning here, where one
    /// process has many threads.
    #[arg(long, env = "GRPC_WORKERS", value_name = "N", default_value = "1")]
    pub(super) grpc_workers: u32,
    /// The port of the metrics; 0 takes a free one and logs it [default: 6000].
    #[arg(
        long,
        env = "PREDICTIVE_UNIT_METRICS_SERVICE_PORT",
        value_name = "PORT"
    )]
    pub(super) metrics_port: Option<u16>,
    /// Used where --metrics-port is not given.
    #[arg(long, env = "MLSERVER_METRICS_PORT", hide = true)]
    pub(super) mlserver_metrics_port: Option<u16>,
    /// The path of the metrics, besides /metrics and /prometheus.
    #[arg(
        long,
        env = "PREDICTIVE_UNIT_METRICS_ENDPOINT",
        value_name = "PATH",
        default_value = "/metrics"
    )]
    pub(super) metrics_endpoint: String,
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
    pub(super) parameters: String,
    /// The name that the model must have, or has in the registry; without it, the
    /// parameter model_name.
    #[arg(long, env = "SERVE_MODEL_NAME", value_name = "NAME")]
    pub(super) model_name: Option<String>,
    /// The version that the model must have. In the registry, the version's name,
    /// its number, or latest. Without it, the parameter model_version.
    #[arg(long, env = "SERVE_MODEL_VERSION", value_name = "VERSION")]
    pub(super) model_version: Option<String>,
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
    pub(super) registry: Option<String>,
    /// The time between two looks at the registry with --watch.
    #[arg(
        long,
        env = "SERVE_REGISTRY_POLL",
        value_name = "SECONDS",
        default_value = "30"
    )]
    pub(super) registry_poll: f64,
    /// Without --model: the Determined master whose model registry has the model.
    ///
    /// TLS is set by DET_MASTER_CERT_FILE and DET_MASTER_CERT_NAME.
    #[arg(long, env = "DET_MASTER", value_name = "URL")]
    pub(super) det_master: Option<String>,
    /// The user at the master; the password is in DET_PASSWORD, or a token in
    /// DET_USER_TOKEN.
    #[arg(long, env = "DET_USER", value_name = "NAME")]
    pub(super) det_user: Option<String>,
    /// How long to go on trying at the start while the master, or the registry, is away.
    #[arg(
        long,
        env = "SERVE_DET_PATIENCE",
        value_name = "SECONDS",
        default_value = "300"
    )]
    pub(super) det_patience: f64,
    /// Where packages of the registry are kept, for the next start.
    #[arg(
        long,
        env = "SERVE_CACHE",
        value_name = "DIR",
        default_value = "/cache"
    )]
    pub(super) cache: PathBuf,
    /// The container's name: a second name of the model, and the key of
    /// requestPath in replies.
    #[arg(long, env = "PREDICTIVE_UNIT_ID", value_name = "NAME")]
    pub(super) unit_id: Option<String>,
    /// The container's image, for requestPath and metrics.
    #[arg(long, env = "PREDICTIVE_UNIT_IMAGE", value_name = "IMAGE")]
    pub(super) unit_image: Option<String>,
    /// The predictor's name, for metrics.
    #[arg(long, env = "PREDICTOR_ID", value_name = "NAME")]
    pub(super) predictor_id: Option<String>,
    /// The predictor's labels as JSON; its version goes into the metrics.
    #[arg(long, env = "PREDICTOR_LABELS", value_name = "JSON")]
    pub(super) predictor_labels: Option<String>,
    /// The SeldonDeployment's name, for metrics.
    #[arg(long, env = "SELDON_DEPLOYMENT_ID", value_name = "NAME")]
    pub(super) deployment_id: Option<String>,
    /// Seldon's model metadata as YAML, whose keys replace the package's.
    #[arg(long, env = "MODEL_METADATA", value_name = "YAML")]
    pub(super) metadata: Option<String>,
    /// Whether replies repeat the metrics of requests.
    #[arg(
        long,
        env = "INCLUDE_METRICS_IN_CLIENT_RESPONSE",
        value_name = "BOOL",
        default_value = "true",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new()
    )]
    pub(super) metrics_in_response: bool,
    /// Listen at once and say "not ready" while the model is loaded. For pods
    /// with HTTP probes; without it the port opens when the model is ready.
    #[arg(long, env = "SERVE_EARLY_BIND", value_parser = BoolishValueParser::new())]
    pub(super) early_bind: bool,
    /// How long to go on answering after SIGTERM, not ready any more, until the
    /// cluster has stopped sending. A second signal ends the wait.
    #[arg(
        long,
        env = "SERVE_DRAIN_DELAY",
        value_name = "SECONDS",
        default_value = "5"
    )]
    pub(super) drain_delay: f64,
    /// Compute threads [default: one per core].
    #[arg(long, env = "SERVE_THREADS", value_name = "N")]
    pub(super) threads: Option<usize>,
    /// The most rows, pictures or texts of one run of a model that answers several
    /// requests: those that wait for the same model are joined while that makes them
    /// faster. 0 or 1 joins none [default: 32].
    #[arg(long, env = "MLSERVER_MODEL_MAX_BATCH_SIZE", value_name = "N")]
    pub(super) max_batch_size: Option<usize>,
    /// How long a request may wait for others to be joined with, though a thread is
    /// there for it [default: 0].
    #[arg(long, env = "MLSERVER_MODEL_MAX_BATCH_TIME", value_name = "SECONDS")]
    pub(super) max_batch_delay: Option<f64>,
    /// What runs the models. By itself, pictures and texts run on ONNX Runtime where
    /// its library is there, rows on the engine that is built in.
    #[arg(
        long,
        env = "SERVE_ENGINE",
        value_name = "ENGINE",
        default_value = "auto",
        ignore_case = true
    )]
    pub(super) engine: Choice,
    /// The library of ONNX Runtime, 1.17 or later [default:
    /// /usr/local/lib/libonnxruntime.so, if it is there].
    #[arg(long, env = "ORT_DYLIB_PATH", value_name = "FILE")]
    pub(super) onnxruntime: Option<String>,
    /// How long a prediction may wait for a thread; one that waited longer gets
    /// 503 and is not started.
    #[arg(
        long,
        env = "SERVE_QUEUE_AGE",
        value_name = "SECONDS",
        default_value = "10"
    )]
    pub(super) queue_age: f64,
    /// Predictions that may wait for a thread; more get 503.
    #[arg(long, env = "SERVE_QUEUE", value_name = "N", default_value = "256")]
    pub(super) queue: usize,
    /// The largest body of a request, and message of gRPC where the annotation
    /// seldon.io/grpc-max-message-size does not set another.
    #[arg(
        long,
        env = "SERVE_MAX_BODY",
        value_name = "BYTES",
        default_value = "67108864"
    )]
    pub(super) max_body: usize,
    /// Connections that there may be at a time; more are closed at once.
    #[arg(
        long,
        env = "SERVE_CONNECTIONS",
        value_name = "N",
        default_value = "16384"
    )]
    pub(super) connections: usize,
    /// How long a client may take to send the head of a request, or the next one
    /// on the same connection, and to read on. After that time a body must have
    /// come at 16 KiB a second. Longer than the 90 seconds after which Seldon's
    /// orchestrator closes a connection that it does not use.
    #[arg(
        long,
        env = "SERVE_CLIENT_TIMEOUT",
        value_name = "SECONDS",
        default_value = "100"
    )]
    pub(super) client_timeout: f64,
    /// The pod's annotations, as Kubernetes writes them into a file. Without
    /// the file there are none.
    #[arg(
        long,
        env = "SERVE_ANNOTATIONS",
        value_name = "FILE",
        default_value = "/etc/podinfo/annotations"
    )]
    pub(super) annotations: PathBuf,
    /// What to log.
    #[arg(
        long,
        env = "SELDON_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info",
        ignore_case = true
    )]
    pub(super) log_level: LogLevel,
    /// How to log.
    #[arg(
        long,
        env = "SERVE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        ignore_case = true
    )]
    pub(super) log_format: LogFormat,
}

/// The levels of `SELDON_LOG_LEVEL`, which are those of Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    Debug,
    Info,
    #[value(alias = "warn")]
    Warning,
    #[value(alias = "critical")]
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object per line.
    Json,
}

/// Reads command line and environment; what clap prints itself ends the program.
pub(super) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let code = u8::try_from(error.exit_code()).unwrap_or(super::USAGE);
        // There is nobody to tell that there is nobody to tell.
        let _closed = error.print();
        if let Some(variable) = variable_of(&error) {
            eprintln!("note: the value comes from the variable {variable}");
        }
        ExitCode::from(code)
    })
}

/// The environment variable that gave a wrong value: clap names only the flag.
fn variable_of(error: &clap::Error) -> Option<String> {
    let ContextValue::String(flag) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let name = flag.split_whitespace().next()?.strip_prefix("--")?;
    if std::env::args().any(|arg| arg.starts_with(&format!("--{name}"))) {
        return None;
    }
    let command = Cli::command();
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| argument.get_long() == Some(name))?;
    let variable = argument.get_env()?.to_str()?.to_owned();
    std::env::var_os(&variable).map(|_| variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
