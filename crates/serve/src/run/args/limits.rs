//! What is refused.

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(in crate::run) struct LimitArgs {
    /// How long a prediction may wait for a thread; one that waited longer gets
    /// 503 and is not started.
    #[arg(
        long,
        env = "SERVE_QUEUE_AGE",
        value_name = "SECONDS",
        default_value = "10"
    )]
    pub(in crate::run) queue_age: f64,
    /// Predictions that may wait for a thread; more get 503.
    #[arg(long, env = "SERVE_QUEUE", value_name = "N", default_value = "256")]
    pub(in crate::run) queue: usize,
    /// The largest body of a request, and message of gRPC where the annotation
    /// seldon.io/grpc-max-message-size does not set another.
    #[arg(
        long,
        env = "SERVE_MAX_BODY",
        value_name = "BYTES",
        default_value = "67108864"
    )]
    pub(in crate::run) max_body: usize,
    /// Connections that there may be at a time; more are closed at once.
    #[arg(
        long,
        env = "SERVE_CONNECTIONS",
        value_name = "N",
        default_value = "16384"
    )]
    pub(in crate::run) connections: usize,
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
    pub(in crate::run) client_timeout: f64,
}
