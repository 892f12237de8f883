//! The log: a line on stderr per start, load, drain and error.

use std::io::{IsTerminal, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt;

use super::args::{LogFormat, LogLevel};

/// Variables of the Python wrapper that have no meaning for one process with
/// many threads.
const IGNORED: [&str; 9] = [
    "SERVICE_TYPE",
    "MODEL_NAME",
    "GUNICORN_WORKERS",
    "GUNICORN_THREADS",
    "GUNICORN_KEEPALIVE",
    "GUNICORN_ACCESS_LOG",
    "GRPC_THREADS",
    "PAYLOAD_PASSTHROUGH",
    "TRACING",
];

/// Where all variables of a family are ignored.
const IGNORED_PREFIXES: [&str; 2] = ["FLASK_", "JAEGER_"];

/// Starts logging, and says which variables are set in vain.
pub(super) fn start(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = fmt()
        .with_max_level(level)
        .with_writer(stderr)
        .with_target(false)
        .with_ansi(colour);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    let ignored = ignored();
    if !ignored.is_empty() {
        tracing::info!(variables = ignored.join(" "), "ignored variables");
    }
}

fn ignored() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let is_ignored = |name: &String| {
        IGNORED.contains(&name.as_str()) || IGNORED_PREFIXES.iter().any(|p| name.starts_with(p))
    };
    let mut names: Vec<String> = names.filter(is_ignored).collect();
    names.sort();
    names
}
