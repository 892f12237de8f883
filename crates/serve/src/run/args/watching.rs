//! What people and other programs get to see.

use clap::builder::BoolishValueParser;
use clap::{ArgAction, ValueEnum};

use crate::events::Payloads;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Monitoring and logs")]
pub(in crate::run) struct WatchingArgs {
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
    pub(in crate::run) page: bool,
    /// Requests to a model that are tested together for drift; 0 turns this and
    /// the outlier scores off.
    #[arg(
        long,
        env = "SERVE_DETECT_BATCH_SIZE",
        value_name = "N",
        default_value = "200"
    )]
    pub(in crate::run) detect_batch_size: usize,
    /// The probability with which requests like the training data may be called
    /// drifted, in each test.
    #[arg(
        long,
        env = "SERVE_DRIFT_LEVEL",
        value_name = "P",
        default_value = "0.05"
    )]
    pub(in crate::run) drift_level: f64,
    /// An http URL that gets a CloudEvent for each request that has an outlier
    /// score and each test for drift, as from Seldon's detectors; for deployments
    /// without them.
    #[arg(long, env = "SERVE_EVENT_SINK", value_name = "URL")]
    pub(in crate::run) event_sink: Option<String>,
    /// Which payloads of REST requests that sink gets too, as from Seldon's
    /// orchestrator; for deployments without it.
    #[arg(
        long,
        env = "SERVE_LOG_PAYLOADS",
        value_name = "WHICH",
        default_value = "none",
        ignore_case = true
    )]
    pub(in crate::run) log_payloads: Payloads,
    /// The http URL of a collector of OpenTelemetry, which gets a span for each request
    /// to a model (OTLP over HTTP, mostly at port 4318).
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(in crate::run) otlp_endpoint: Option<String>,
    /// Used instead of it where it is given: the whole URL that spans are posted to.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", hide = true)]
    pub(in crate::run) otlp_traces_endpoint: Option<String>,
    /// What to log.
    #[arg(
        long,
        env = "SELDON_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info",
        ignore_case = true
    )]
    pub(in crate::run) log_level: LogLevel,
    /// How to log.
    #[arg(
        long,
        env = "SERVE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        ignore_case = true
    )]
    pub(in crate::run) log_format: LogFormat,
}

/// The levels of `SELDON_LOG_LEVEL`, which are those of Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::run) enum LogLevel {
    Debug,
    Info,
    #[value(alias = "warn")]
    Warning,
    #[value(alias = "critical")]
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::run) enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object per line.
    Json,
}
