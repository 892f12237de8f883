//! Trains a model on one commit of data and publishes its package.
//!
//! The way of a run, one module a step:
//!
//! 1. [`args`](Args) and `experiment`: what to do. Everything is checked before
//!    anything is computed.
//! 2. `data`: the CSV files become a table of 32-bit numbers, exactly as serving
//!    will encode a request, and a share of the rows is held out.
//! 3. `table` and `local`: a linear model is fitted to the other rows.
//! 4. `graph`: the model with all its preprocessing becomes one ONNX graph.
//! 5. `evaluation` and `metrics`: that graph, run as serving will run it, must
//!    agree with the model, and is what the figures are measured with.
//! 6. `report`: a page for people.
//! 7. `publication`: the package, then `model-info.yaml`, each whole or not at all.
//!    Between them stands `registering`, where there is a registry.
//!
//! Where the experiment names a backbone, `embedded` stands in the place of steps 2
//! to 5: pictures or texts are embedded by a pretrained graph, and a head is fitted
//! to the embeddings.
//!
//! With `--engine determined`, `determined` stands in the place of steps 2 to 5: the
//! training runs on a cluster, with code of its own.
//!
//! `train verify` makes a published model again, by what its package records.
//!
//! `train trial` is the other end of that: this program as the code of an
//! experiment, which trains as above and reports to the master.
//!
//! The same data, settings and version give the same bytes, on the same kind of
//! processor: there is no time stamp, every choice follows the seed, and every
//! sum has one order.

mod args;
mod command;
mod data;
mod delta;
mod determined;
mod embedded;
mod engine;
mod evaluation;
mod experiment;
mod graph;
mod inspection;
mod interruption;
mod job;
mod local;
mod metrics;
mod parallel;
mod previous;
mod progress;
mod publication;
mod reference;
mod registering;
mod report;
mod run;
mod subject;
mod table;
mod trial;
mod verify;
mod waiting;

use std::process::ExitCode;

pub use crate::determined::{CheckpointFrom, DeterminedOptions, OnPause, OnSigterm};
pub use args::{Args, Engine, TrainingOptions};
pub use command::Command;
pub use data::DataError;
pub use engine::EngineOptions;
pub use experiment::{
    ClassWeights, Experiment, ExperimentError, HeadKind, Hyperparameters, Labels, Mode, ModelKind,
    Search,
};
pub use fit::FitError;
pub use registering::RegistryOptions;
pub use trial::TrialOptions;
pub use verify::VerifyOptions;

/// Does what is asked for, and says how it went: progress and errors on
/// standard error, the result on standard output. The status is 0 when the model
/// is published, or was before, and 1 when nothing was.
pub fn run(command: &Command) -> ExitCode {
    let done = match command {
        Command::Version(options) => version(options),
        Command::Trial(options) => trial::run(options),
        Command::Verify(options) => verify::run(options),
        Command::Train(args) => match args.engine {
            Engine::Local => run::local(args),
            Engine::Determined => determined::run(args),
        },
    };
    match done {
        Ok(result) => {
            progress::result(&result);
            ExitCode::SUCCESS
        }
        Err(error) => {
            progress::step(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The version in the first line, and in the second one what embeds with these options.
fn version(options: &EngineOptions) -> anyhow::Result<String> {
    let engines = options.find()?;
    Ok(format!("{}\nengine: {engines}\n", job::TRAINED_BY))
}
