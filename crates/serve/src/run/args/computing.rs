//! What models run on.

use model::Choice;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Computing")]
pub(in crate::run) struct ComputingArgs {
    /// Compute threads [default: one per core].
    #[arg(long, env = "SERVE_THREADS", value_name = "N")]
    pub(in crate::run) threads: Option<usize>,
    /// The most rows, pictures or texts of one run of a model that answers several
    /// requests: those that wait for the same model are joined while that makes them
    /// faster. 0 or 1 joins none [default: 32].
    #[arg(long, env = "MLSERVER_MODEL_MAX_BATCH_SIZE", value_name = "N")]
    pub(in crate::run) max_batch_size: Option<usize>,
    /// How long a request may wait for others to be joined with, though a thread is
    /// there for it [default: 0].
    #[arg(long, env = "MLSERVER_MODEL_MAX_BATCH_TIME", value_name = "SECONDS")]
    pub(in crate::run) max_batch_delay: Option<f64>,
    /// What runs the models. By itself, pictures and texts run on ONNX Runtime where
    /// its library is there, rows on the engine that is built in.
    #[arg(
        long,
        env = "SERVE_ENGINE",
        value_name = "ENGINE",
        default_value = "auto",
        ignore_case = true
    )]
    pub(in crate::run) engine: Choice,
    /// The library of ONNX Runtime, 1.17 or later [default:
    /// /usr/local/lib/libonnxruntime.so, if it is there].
    #[arg(long, env = "ORT_DYLIB_PATH", value_name = "FILE")]
    pub(in crate::run) onnxruntime: Option<String>,
}
