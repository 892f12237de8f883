//! The engines of a process, and which one a graph gets.

use std::fmt::{self, Display};
use std::path::Path;

use clap::ValueEnum;

use super::{BUILT_IN, Copies, LibraryError, OnnxRuntime, Session, SessionError};
use crate::TensorSignature;

/// Where the library is when nobody says so: the images have it there, and so has a
/// machine on which ONNX Runtime was installed from its sources.
const LIBRARY: &str = "/usr/local/lib/libonnxruntime.so";

/// What graphs are to run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Pictures and texts on ONNX Runtime where its library is there, rows on the
    /// built-in engine.
    #[default]
    Auto,
    /// Everything on the built-in engine.
    BuiltIn,
    /// Everything on ONNX Runtime, without which the program does not start.
    Onnxruntime,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What graphs are to run on.
    pub choice: Choice,
    /// The option that says so, as `--engine`.
    pub option: &'static str,
    /// The file of the library, if one is named.
    pub library: Option<&'a Path>,
    /// How many threads a graph may take there.
    pub threads: usize,
}

/// Why the engine that was asked for is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// There is no library at its usual place.
    #[error(
        "{0} onnxruntime needs the library of ONNX Runtime, which is not at {LIBRARY}: give its \
         file with --onnxruntime"
    )]
    Absent(&'static str),
    /// The library cannot be used.
    #[error("ONNX Runtime was asked for; {option} built-in works without it, more slowly")]
    Unusable {
        /// The option that chooses.
        option: &'static str,
        /// Why.
        source: LibraryError,
    },
}

/// What a graph takes and gives.
pub type Signature<'a> = (&'a [TensorSignature], &'a [TensorSignature]);

/// How a graph is to be opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// Whether it takes rows of a table. Measured, a row takes 8 microseconds on ONNX
    /// Runtime and 10 on the built-in engine, which needs no copies of the graph.
    pub is_small: bool,
    /// The copies that ONNX Runtime loads.
    pub copies: Copies,
}

/// The engines of this process.
#[derive(Debug, Clone, Default)]
pub struct Engines {
    choice: Choice,
    library: Option<OnnxRuntime>,
}

impl Engines {
    /// Loads the library that was asked for, or that at its usual place. One that was
    /// found there and cannot be used is told by `warn`, since what works more slowly is
    /// better than what does not start; whoever names a file, or the engine, counts on
    /// it.
    ///
    /// # Errors
    ///
    /// When a library that was asked for cannot be used.
    pub fn find(asked: Asked<'_>, warn: impl FnOnce(&str)) -> Result<Self, EngineError> {
        let Asked { choice, option, .. } = asked;
        let with = |library| Self { choice, library };
        if choice == Choice::BuiltIn {
            return Ok(with(None));
        }
        let place = asked.library.unwrap_or(Path::new(LIBRARY));
        if asked.library.is_none() && !place.exists() {
            return match choice {
                Choice::Onnxruntime => Err(EngineError::Absent(option)),
                Choice::Auto | Choice::BuiltIn => Ok(with(None)),
            };
        }
        match OnnxRuntime::load(place, asked.threads) {
            Ok(library) => Ok(with(Some(library))),
            Err(error) if asked.library.is_none() && choice == Choice::Auto => {
                warn(&format!("{error}: models run on the built-in engine"));
                Ok(with(None))
            }
            Err(source) => Err(EngineError::Unusable { option, source }),
        }
    }

    /// The fastest engine, as `built-in` or `onnxruntime 1.31`.
    pub fn name(&self) -> &str {
        self.library.as_ref().map_or(BUILT_IN, OnnxRuntime::name)
    }

    /// Loads `graph` on the engine that is best for what it takes, and runs it for
    /// the `first` time; where that fails, on the other one, as each has operators
    /// that the other has not, which `complain` is told with the engine that failed.
    ///
    /// # Errors
    ///
    /// When no engine can load and run it.
    pub fn open<T, E: From<SessionError>>(
        &self,
        opening: Opening,
        graph: Vec<u8>,
        (inputs, outputs): Signature<'_>,
        first: impl Fn(&Session) -> Result<T, E>,
        complain: impl Fn(&str, &E),
    ) -> Result<(Session, T), E> {
        let attempt = |session: Session| first(&session).map(|given| (session, given));
        let built_in = |graph| attempt(Session::open(graph, inputs, outputs)?);
        let Some(library) = &self.library else {
            return built_in(graph);
        };
        let on_library =
            |graph: &[u8]| attempt(library.open(opening.copies, graph, inputs, outputs)?);
        if opening.is_small && self.choice != Choice::Onnxruntime {
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

/// The fastest engine, and the file of ONNX Runtime if there is one, as
/// `onnxruntime 1.31, /usr/local/lib/libonnxruntime.so`.
impl Display for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match &self.library {
            Some(library) => write!(f, ", {}", library.path().display()),
            None => Ok(()),
        }
    }
}
