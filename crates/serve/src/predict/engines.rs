//! The engines that run graphs, and which one a model gets.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use model::{BUILT_IN, OnnxRuntime, Session, TensorSignature};

use super::load::LoadError;
use super::takes::Takes;

/// Where the library is when nobody says so: the image has it there, and so has a
/// machine on which ONNX Runtime was installed from its sources.
const LIBRARY: &str = "/usr/local/lib/libonnxruntime.so";

/// What models are to run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Pictures and texts on ONNX Runtime where its library is there, rows on the
    /// built-in engine.
    #[default]
    Auto,
    /// Everything on the built-in engine.
    BuiltIn,
    /// Everything on ONNX Runtime, without which the server does not start.
    Onnxruntime,
}

/// The engines of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Engines {
    choice: Choice,
    library: Option<OnnxRuntime>,
}

/// What a first run with a session gives.
type First<'a, T> = &'a dyn Fn(&Session) -> Result<T, LoadError>;

impl Engines {
    /// Loads the library at `path`, or at its usual place if that is not given. One
    /// that was found there and cannot be used is told in the log, since what answers
    /// more slowly is better than what does not start; whoever names a file, or the
    /// engine, counts on it.
    ///
    /// # Errors
    ///
    /// When a library that was asked for cannot be used.
    pub(crate) fn find(choice: Choice, path: Option<&str>, threads: usize) -> Result<Self> {
        let with = |library| Self { choice, library };
        let named = path.map(Path::new);
        let place = named.unwrap_or(Path::new(LIBRARY));
        if choice == Choice::BuiltIn {
            return Ok(with(None));
        }
        if named.is_none() && !place.exists() {
            if choice == Choice::Onnxruntime {
                bail!(
                    "--engine onnxruntime needs the library of ONNX Runtime, which is not at \
                     {LIBRARY}: give its file with --onnxruntime"
                );
            }
            return Ok(with(None));
        }
        match OnnxRuntime::load(place, threads) {
            Ok(library) => Ok(with(Some(library))),
            Err(error) if named.is_none() && choice == Choice::Auto => {
                tracing::warn!("{error}: models run on the built-in engine");
                Ok(with(None))
            }
            Err(error) => Err(error).context(
                "ONNX Runtime was asked for; --engine built-in serves without it, more slowly",
            ),
        }
    }

    /// The fastest engine, as `built-in` or `onnxruntime 1.31`.
    pub(crate) fn name(&self) -> &str {
        self.library.as_ref().map_or(BUILT_IN, OnnxRuntime::name)
    }

    /// The file of ONNX Runtime, if there is one.
    pub(crate) fn library(&self) -> Option<&Path> {
        self.library.as_ref().map(OnnxRuntime::path)
    }

    /// Loads `graph` on the engine that is best for what it takes, and runs it for
    /// the `first` time; where that fails, on the other one, as each has operators
    /// that the other has not.
    ///
    /// # Errors
    ///
    /// When no engine can load and run it.
    pub(super) fn open<T>(
        &self,
        takes: &Takes,
        graph: Vec<u8>,
        (inputs, outputs): (&[TensorSignature], &[TensorSignature]),
        first: First<'_, T>,
    ) -> Result<(Session, T), LoadError> {
        let attempt = |session: Session| first(&session).map(|given| (session, given));
        let Some(library) = &self.library else {
            return attempt(Session::open(graph, inputs, outputs)?);
        };
        let on_library = |graph: &[u8]| attempt(library.open(graph, inputs, outputs)?);
        let built_in = |graph| attempt(Session::open(graph, inputs, outputs)?);
        // Measured, a row takes 8 microseconds there and 10 here, where no copies of
        // the graph are needed for it.
        let is_small = matches!(takes, Takes::Table(_));
        if is_small && self.choice != Choice::Onnxruntime {
            built_in(graph.clone()).or_else(|error| {
                complain(BUILT_IN, &error);
                on_library(&graph)
            })
        } else {
            on_library(&graph).or_else(|error| {
                complain(library.name(), &error);
                built_in(graph)
            })
        }
    }
}

fn complain(engine: &str, error: &LoadError) {
    let error = error.to_string();
    tracing::warn!(
        engine,
        error,
        "the engine cannot run the graph; trying the other"
    );
}
