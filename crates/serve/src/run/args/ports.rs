//! Where the server listens, and for how long.

use std::net::IpAddr;

use clap::builder::BoolishValueParser;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Ports")]
pub(in crate::run) struct PortArgs {
    /// The address to listen on.
    #[arg(long, env = "SERVE_HOST", value_name = "IP", default_value = "0.0.0.0")]
    pub(in crate::run) host: IpAddr,
    /// The port of both protocols; 0 takes a free one and logs it [default: 9000].
    #[arg(long, env = "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", value_name = "PORT")]
    pub(in crate::run) http_port: Option<u16>,
    /// Used where --http-port is not given.
    #[arg(long, env = "MLSERVER_HTTP_PORT", hide = true)]
    pub(in crate::run) mlserver_http_port: Option<u16>,
    /// Used where none of the two is given: Knative sets it.
    #[arg(long, env = "PORT", hide = true)]
    pub(in crate::run) port: Option<u16>,
    /// The port of gRPC; 0 takes a free one and logs it [default: 9500].
    #[arg(long, env = "PREDICTIVE_UNIT_GRPC_SERVICE_PORT", value_name = "PORT")]
    pub(in crate::run) grpc_port: Option<u16>,
    /// Used where --grpc-port is not given.
    #[arg(long, env = "MLSERVER_GRPC_PORT", hide = true)]
    pub(in crate::run) mlserver_grpc_port: Option<u16>,
    /// 0 opens no port for gRPC; another number has no meaning here, where one
    /// process has many threads.
    #[arg(long, env = "GRPC_WORKERS", value_name = "N", default_value = "1")]
    pub(in crate::run) grpc_workers: u32,
    /// The port of the metrics; 0 takes a free one and logs it [default: 6000].
    #[arg(
        long,
        env = "PREDICTIVE_UNIT_METRICS_SERVICE_PORT",
        value_name = "PORT"
    )]
    pub(in crate::run) metrics_port: Option<u16>,
    /// Used where --metrics-port is not given.
    #[arg(long, env = "MLSERVER_METRICS_PORT", hide = true)]
    pub(in crate::run) mlserver_metrics_port: Option<u16>,
    /// The path of the metrics, besides /metrics and /prometheus.
    #[arg(
        long,
        env = "PREDICTIVE_UNIT_METRICS_ENDPOINT",
        value_name = "PATH",
        default_value = "/metrics"
    )]
    pub(in crate::run) metrics_endpoint: String,
    /// Listen at once and say "not ready" while the model is loaded. For pods
    /// with HTTP probes; without it the port opens when the model is ready.
    #[arg(long, env = "SERVE_EARLY_BIND", value_parser = BoolishValueParser::new())]
    pub(in crate::run) early_bind: bool,
    /// How long to go on answering after SIGTERM, not ready any more, until the
    /// cluster has stopped sending. A second signal ends the wait.
    #[arg(
        long,
        env = "SERVE_DRAIN_DELAY",
        value_name = "SECONDS",
        default_value = "5"
    )]
    pub(in crate::run) drain_delay: f64,
}
