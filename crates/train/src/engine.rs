//! What embeds pictures and texts: the engine that is built in, or ONNX Runtime.

use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use backbone::{Backbone, Embedder};
use model::{Asked, BUILT_IN, Choice, Copies, Engines, Opening, Session, SessionError, Signature};

use crate::progress::warn;

/// The option that chooses.
pub(crate) const OPTION: &str = "--embedding-engine";

/// What embeds pictures and texts.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct EngineOptions {
    /// What runs a backbone: by itself, ONNX Runtime where its library is there.
    #[arg(
        long = "embedding-engine",
        env = "TRAIN_EMBEDDING_ENGINE",
        value_name = "ENGINE",
        default_value = "auto",
        ignore_case = true
    )]
    pub choice: Choice,

    /// The library of ONNX Runtime, 1.17 or later [default:
    /// /usr/local/lib/libonnxruntime.so, if it is there].
    #[arg(long, env = "ORT_DYLIB_PATH", value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
}

impl EngineOptions {
    /// The engines that these options come to.
    ///
    /// # Errors
    ///
    /// When a library that was asked for cannot be used.
    pub(crate) fn find(&self) -> Result<Engines> {
        let asked = Asked {
            choice: self.choice,
            option: OPTION,
            library: self.onnxruntime.as_deref(),
            threads: available_parallelism().map_or(1, Into::into),
        };
        Ok(Engines::find(asked, warn)?)
    }

    /// These, for a model that `engine` has embedded: the built-in engine again, where
    /// nothing else is asked for.
    pub(crate) fn like(&self, engine: Option<&str>) -> Self {
        let is_built_in = engine.is_none_or(|engine| engine == BUILT_IN);
        match self.choice {
            Choice::Auto if is_built_in => Self {
                choice: Choice::BuiltIn,
                onnxruntime: None,
            },
            _ => self.clone(),
        }
    }
}

/// Loads a graph on the fastest engine that can.
///
/// # Errors
///
/// When none can.
pub(crate) fn open(
    engines: &Engines,
    copies: Copies,
    graph: Vec<u8>,
    signature: Signature<'_>,
) -> Result<Session, SessionError> {
    let opening = Opening {
        is_small: false,
        copies,
    };
    let complain = |engine: &str, error: &SessionError| {
        warn(&format!(
            "{engine} cannot run the graph: {error}; trying the other engine"
        ));
    };
    let (session, ()) = engines.open(opening, graph, signature, |_| Ok(()), complain)?;
    Ok(session)
}

/// A backbone that is loaded to embed on all cores, each thing on one of them.
pub(crate) struct Loaded {
    /// What other graphs run on.
    pub(crate) engines: Engines,
    /// On the fastest of them that runs it.
    pub(crate) embedder: Embedder,
}

impl Loaded {
    /// Loads `backbone`.
    ///
    /// # Errors
    ///
    /// When the library that was asked for cannot be used, or no engine runs it.
    pub(crate) fn new(options: &EngineOptions, backbone: &Backbone) -> Result<Self> {
        let engines = options.find()?;
        let embedder = Embedder::load_on(backbone, |graph, inputs, outputs| {
            open(&engines, Copies::EachThread, graph, (inputs, outputs))
        });
        let embedder = embedder.context("cannot load the backbone")?;
        Ok(Self { engines, embedder })
    }
}
