//! Settings, checked before anything is opened.

use std::fs;
use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axum::http::Uri;
use model::Choice;
use serde_json::Value;

use super::annotations::Annotations;
use super::args::{Args, LogFormat, LogLevel, PortArgs};
use super::origin::Origin;
use super::parameters::Parameters;
use crate::events::{Payloads, Place, Sink};
use crate::grpc;
use crate::seldon::{Node, Overrides};
use crate::trace::Collector;

/// What stands in a metric's label whose variable is unset, in the words of the
/// Python wrapper.
const UNKNOWN: &str = "NOT_IMPLEMENTED";

/// The most rows of a run of several requests.
const BATCH_SIZE: usize = 32;

const HTTP_PORT: u16 = 9000;
const GRPC_PORT: u16 = 9500;
const METRICS_PORT: u16 = 6000;

/// Everything the server needs to know.
#[derive(Debug)]
pub(super) struct Settings {
    /// Where the models come from.
    pub(super) origin: Origin,
    /// Whether the models are loaded at the start.
    pub(super) load_at_start: bool,
    /// Whether changes of the models' folder, or of the registry, are followed.
    pub(super) watch: bool,
    /// The time between two looks at the registry.
    pub(super) registry_poll: Duration,
    /// Whether there is a page for people.
    pub(super) page: bool,
    /// The requests of a window of the drift test; 0 watches nothing.
    pub(super) detect_batch_size: usize,
    /// How often such a test may be wrong.
    pub(super) drift_level: f64,
    /// Who is told of requests, if anybody.
    pub(super) sink: Option<Sink>,
    /// Who is told where the time of requests goes, if anybody.
    pub(super) collector: Option<Collector>,
    pub(super) http: SocketAddr,
    /// `None` when gRPC is turned off.
    pub(super) grpc: Option<SocketAddr>,
    pub(super) metrics: SocketAddr,
    pub(super) metrics_endpoint: String,
    pub(super) node: Node,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) overrides: Overrides,
    pub(super) early_bind: bool,
    pub(super) drain_delay: Duration,
    pub(super) queue_age: Duration,
    /// The most rows of a run of several requests.
    pub(super) batch_size: usize,
    /// How long a request may wait for others.
    pub(super) batch_delay: Duration,
    pub(super) threads: usize,
    pub(super) engine: Choice,
    /// The library of ONNX Runtime, if one is named.
    pub(super) onnxruntime: Option<String>,
    pub(super) queue: usize,
    pub(super) max_body: usize,
    /// Connections at a time to all ports but that of the metrics.
    pub(super) connections: usize,
    /// How long a client may keep silent.
    pub(super) silence: Duration,
    pub(super) limits: grpc::Limits,
    /// The longest time of a request over HTTP.
    pub(super) rest_timeout: Option<Duration>,
    pub(super) log_level: LogLevel,
    pub(super) log_format: LogFormat,
}

impl Settings {
    /// Checks `args`.
    pub(super) fn check(args: Args) -> Result<Self> {
        let parameters =
            Parameters::parse(&args.pod.parameters).context("PREDICTIVE_UNIT_PARAMETERS")?;
        let overrides = match set(args.pod.metadata.clone()) {
            Some(yaml) => Overrides::parse(&yaml)
                .map_err(anyhow::Error::msg)
                .context("MODEL_METADATA")?,
            None => Overrides::default(),
        };
        let labels = labels(&args).context("PREDICTOR_LABELS")?;
        let endpoint = &args.ports.metrics_endpoint;
        let is_plain = |segment: &str| !segment.starts_with([':', '*']);
        let plain = endpoint.starts_with('/')
            && !endpoint.contains(['{', '}', '?', '#'])
            && endpoint.split('/').all(is_plain);
        ensure!(
            plain,
            "PREDICTIVE_UNIT_METRICS_ENDPOINT is {endpoint:?}, expected a path like /metrics"
        );
        let drain_delay = seconds("--drain-delay", args.ports.drain_delay)?;
        let queue_age = seconds("--queue-age", args.limits.queue_age)?;
        let (batch_size, batch_delay) = batching(&args, &parameters)?;
        let registry_poll = seconds("--registry-poll", args.models.registry_poll)?;
        let silence = seconds("--client-timeout", args.limits.client_timeout)?;
        ensure!(
            args.watching.drift_level > 0.0 && args.watching.drift_level < 1.0,
            "--drift-level is {}, expected a probability between 0 and 1",
            args.watching.drift_level
        );
        ensure!(
            args.limits.connections > 0,
            "--connections is 0, expected at least 1"
        );
        let threads = args.computing.threads.unwrap_or_else(cores);
        ensure!(threads > 0, "--threads is 0, expected at least 1");
        ensure!(args.limits.queue > 0, "--queue is 0, expected at least 1");
        let (http, grpc, metrics) = doors(&args.ports)?;
        let annotations = Annotations::read(&args.pod.annotations)?;
        Ok(Self {
            origin: Origin::check(&args, &parameters, overrides.clone())?,
            load_at_start: args.models.load_at_start,
            watch: args.models.watch,
            registry_poll,
            page: args.watching.page,
            detect_batch_size: args.watching.detect_batch_size,
            drift_level: args.watching.drift_level,
            sink: sink(&args, http)?,
            collector: collector(&args)?,
            http: (args.ports.host, http).into(),
            grpc: grpc.map(|port| (args.ports.host, port).into()),
            metrics: (args.ports.host, metrics).into(),
            metrics_endpoint: args.ports.metrics_endpoint,
            node: Node {
                id: set(args.pod.unit_id),
                image: set(args.pod.unit_image),
                with_metrics: args.pod.metrics_in_response,
            },
            labels,
            overrides,
            early_bind: args.ports.early_bind,
            drain_delay,
            queue_age,
            batch_size,
            batch_delay,
            threads,
            engine: args.computing.engine,
            onnxruntime: set(args.computing.onnxruntime),
            queue: args.limits.queue,
            limits: annotations.limits(args.limits.max_body),
            rest_timeout: annotations.rest_timeout,
            max_body: args.limits.max_body,
            connections: args.limits.connections,
            silence,
            log_level: args.watching.log_level,
            log_format: args.watching.log_format,
        })
    }
}

/// The ports of HTTP, of gRPC where it is on, and of the metrics.
fn doors(ports: &PortArgs) -> Result<(u16, Option<u16>, u16)> {
    let port = |own: Option<u16>, other: Option<u16>, default| own.or(other).unwrap_or(default);
    let http = ports.http_port.or(ports.mlserver_http_port);
    let http = port(http, ports.port, HTTP_PORT);
    let metrics = port(
        ports.metrics_port,
        ports.mlserver_metrics_port,
        METRICS_PORT,
    );
    let grpc = port(ports.grpc_port, ports.mlserver_grpc_port, GRPC_PORT);
    let grpc = (ports.grpc_workers > 0).then_some(grpc);
    distinct(http, grpc, metrics)?;
    Ok((http, grpc, metrics))
}

/// How far requests are joined: by the arguments, else by the parameters that bear
/// the names of MLServer's settings.
fn batching(args: &Args, parameters: &Parameters) -> Result<(usize, Duration)> {
    let of = |name| parameters.get(name).map(str::trim);
    let size = match (args.computing.max_batch_size, of("max_batch_size")) {
        (Some(size), _) => size,
        (None, Some(text)) => text.parse().with_context(|| {
            format!("the parameter max_batch_size is {text:?}, expected a number of rows")
        })?,
        (None, None) => BATCH_SIZE,
    };
    let seconds = match (args.computing.max_batch_delay, of("max_batch_time")) {
        (Some(seconds), _) => seconds,
        (None, Some(text)) => text.parse().with_context(|| {
            format!("the parameter max_batch_time is {text:?}, expected seconds")
        })?,
        (None, None) => 0.0,
    };
    let delay = Duration::try_from_secs_f64(seconds)
        .with_context(|| format!("--max-batch-delay (max_batch_time) is {seconds}"))?;
    Ok((size, delay))
}

/// A time that was given in seconds.
fn seconds(flag: &str, given: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(given).with_context(|| format!("{flag} is {given}"))
}

/// Where spans go.
fn collector(args: &Args) -> Result<Option<Collector>> {
    let of = |value: &Option<String>| set(value.clone());
    let names = [&args.pod.deployment_id, &args.pod.unit_id];
    let service = names.into_iter().find_map(of);
    let service = service.unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
    Collector::check(
        of(&args.watching.otlp_traces_endpoint),
        of(&args.watching.otlp_endpoint),
        &service,
    )
}

/// Where events go.
fn sink(args: &Args, port: u16) -> Result<Option<Sink>> {
    let Some(url) = set(args.watching.event_sink.clone()) else {
        ensure!(
            args.watching.log_payloads == Payloads::None,
            "--log-payloads needs --event-sink, the URL that they go to"
        );
        return Ok(None);
    };
    let parsed: Uri = url.parse().context("--event-sink is no URL")?;
    ensure!(
        !parsed
            .authority()
            .is_some_and(|host| host.as_str().contains('@')),
        "--event-sink has credentials, which cannot be sent; expected http://HOST[:PORT]/PATH"
    );
    ensure!(
        parsed.scheme_str() == Some("http"),
        "--event-sink is {url}, expected http://HOST[:PORT]/PATH, as brokers in a cluster have"
    );
    let known = |value: &Option<String>| set(value.clone()).unwrap_or_default();
    let pod = std::env::var("POD_NAME").ok();
    let pod = set(pod).unwrap_or_else(|| "localhost".to_owned());
    // Kubernetes tells every pod with a service account.
    let namespace = fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace");
    Ok(Some(Sink {
        url: parsed,
        payloads: args.watching.log_payloads,
        place: Place {
            deployment: known(&args.pod.deployment_id),
            predictor: known(&args.pod.predictor_id),
            node: known(&args.pod.unit_id),
            namespace: namespace.unwrap_or_default().trim().to_owned(),
            address: format!("http://{pod}:{port}/"),
        },
    }))
}

/// How many threads can run at once.
pub(super) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Two doors cannot share a port.
fn distinct(http: u16, grpc: Option<u16>, metrics: u16) -> Result<()> {
    let flags = [
        ("--http-port", Some(http)),
        ("--grpc-port", grpc),
        ("--metrics-port", Some(metrics)),
    ];
    for (index, (one, port)) in flags.iter().enumerate() {
        let Some(port) = port.filter(|port| *port != 0) else {
            continue;
        };
        let mut others = flags.iter().skip(index + 1);
        if let Some((other, _)) = others.find(|(_, other)| *other == Some(port)) {
            bail!("{one} and {other} are both {port}, expected two ports");
        }
    }
    Ok(())
}

/// An empty variable is as good as none.
pub(super) fn set(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

/// The labels of every metric, named as Seldon's dashboards expect them.
fn labels(args: &Args) -> Result<Vec<(&'static str, String)>> {
    let known = |value: &Option<String>| {
        let value = set(value.clone());
        value.unwrap_or_else(|| UNKNOWN.to_owned())
    };
    let version = match set(args.pod.predictor_labels.clone()) {
        Some(text) => {
            let labels: Value = serde_json::from_str(&text)?;
            labels
                .get("version")
                .and_then(Value::as_str)
                .map(str::to_owned)
        }
        None => None,
    };
    let image = known(&args.pod.unit_image);
    let (image, image_version) = split_image(&image);
    let deployment = known(&args.pod.deployment_id);
    Ok(vec![
        ("deployment_name", deployment.clone()),
        ("seldon_deployment_name", deployment),
        ("model_name", known(&args.pod.unit_id)),
        ("model_image", image.to_owned()),
        ("image_name", image.to_owned()),
        ("model_version", image_version.to_owned()),
        ("image_version", image_version.to_owned()),
        ("predictor_name", known(&args.pod.predictor_id)),
        ("predictor_version", known(&version)),
    ])
}

/// Name and tag; a colon before a slash belongs to the registry's port.
fn split_image(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        for (image, expected) in [
            (
                "localhost:5000/a/serve:0.0.1",
                ("localhost:5000/a/serve", "0.0.1"),
            ),
            ("localhost:5000/serve", ("localhost:5000/serve", UNKNOWN)),
            ("serve", ("serve", UNKNOWN)),
        ] {
            assert_eq!(split_image(image), expected);
        }
    }
}
