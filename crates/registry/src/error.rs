//! What can go wrong, by what a caller would do about it.

use model::PackageError;
use model::publish::PublishError;
use storage::told;

/// Why a registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL names no registry. It is not repeated where it may hold a secret.
    #[error("the registry's URL cannot be used: {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// The store cannot be opened; nothing was asked.
    #[error("the registry {registry} cannot be opened: {reason}")]
    Open {
        /// The registry's URL.
        registry: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// The store is away, or does not let this process in.
    #[error("cannot {action} {place}: {reason}")]
    Store {
        /// What was tried, in words.
        action: &'static str,
        /// The object's URL.
        place: String,
        /// The store's words.
        reason: String,
        /// Whether the same may succeed later.
        transient: bool,
    },
    /// The store overwrites what is there although it is asked not to.
    #[error(
        "the store of {0} does not know conditional writes (If-None-Match), so that two who publish \
         at once would overwrite each other: use another store, or a newer release of it"
    )]
    NoConditions(String),
    /// There is no such model.
    #[error("the registry {registry} has no model {model:?}: {known}")]
    NoModel {
        /// The registry's URL.
        registry: String,
        /// The name that was asked for.
        model: String,
        /// Which there are, in words.
        known: String,
    },
    /// The model has no such version.
    #[error("the model {model:?} in {registry} has no version {asked:?}: {known}")]
    NoVersion {
        /// The registry's URL.
        registry: String,
        /// The model.
        model: String,
        /// The name or number that was asked for.
        asked: String,
        /// Which there are, in words.
        known: String,
    },
    /// An object is not what was written.
    #[error("{place} is damaged: {reason}")]
    Damaged {
        /// The object's URL.
        place: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The record was written by a newer program.
    #[error(
        "{place} has format_version {found}, this build reads up to {known}: use a newer image"
    )]
    Newer {
        /// The object's URL.
        place: String,
        /// Its version of the format.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// What is to be published has the name of another version.
    #[error(
        "version {number} of {model:?} has the name {name:?} already and is another package ({there}): \
         a version never changes; publish this one ({package}) under another name"
    )]
    NameTaken {
        /// The model.
        model: String,
        /// The number of the version that has it.
        number: u64,
        /// The name.
        name: String,
        /// The package of that version.
        there: model::Digest,
        /// The package that is to be published.
        package: model::Digest,
    },
    /// The model's or the version's name cannot be part of an object's.
    #[error(
        "the name {0:?} cannot be published: a name starts with a letter or digit and has letters, \
         digits, '-', '_' and '.'"
    )]
    Name(String),
    /// The folder is no whole package.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A folder cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Error {
    /// Whether waiting may help: the network or the store is away for a while.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store { transient, .. } if *transient)
    }

    pub(crate) fn store(action: &'static str, place: String, error: &object_store::Error) -> Self {
        use object_store::Error as E;
        let transient = matches!(error, E::Generic { .. } | E::JoinError { .. });
        Self::Store {
            action,
            place,
            reason: told(error),
            transient,
        }
    }
}
