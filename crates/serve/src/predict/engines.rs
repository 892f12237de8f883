//! What models run on, with the words of the server.

use std::path::Path;

use anyhow::Result;
use model::{Asked, Choice, Copies, Engines, Opening, Session, Signature};

use super::load::LoadError;
use super::takes::Takes;

/// The engines that `choice` and the library at `path` come to.
///
/// # Errors
///
/// When a library that was asked for cannot be used.
pub(crate) fn find_engines(choice: Choice, path: Option<&str>, threads: usize) -> Result<Engines> {
    let asked = Asked {
        choice,
        option: "--engine",
        library: path.map(Path::new),
        threads,
    };
    Ok(Engines::find(asked, |words| tracing::warn!("{words}"))?)
}

/// Loads `graph` on the engine that is best for what it takes, and runs it for the
/// `first` time.
///
/// # Errors
///
/// When no engine can load and run it.
pub(super) fn open<T>(
    engines: &Engines,
    takes: &Takes,
    graph: Vec<u8>,
    signature: Signature<'_>,
    first: impl Fn(&Session) -> Result<T, LoadError>,
) -> Result<(Session, T), LoadError> {
    let opening = Opening {
        is_small: matches!(takes, Takes::Table(_)),
        copies: Copies::Served,
    };
    let complain = |engine: &str, error: &LoadError| {
        let error = error.to_string();
        tracing::warn!(
            engine,
            error,
            "the engine cannot run the graph; trying the other"
        );
    };
    engines.open(opening, graph, signature, first, complain)
}
