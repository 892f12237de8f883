//! Buckets of the clouds, opened with the credentials of the environment.
//!
//! [`Access`] holds the variables, by the names that the clouds' own tools give them;
//! [`Access::open`] gives the store of a [`Bucket`]. A [`Place`] is what a URL means, and
//! [`Folder`] reads what lies there.

mod cloud;
mod folder;
mod http;
mod place;

use std::fmt;

pub use cloud::Access;
pub use folder::Folder;
pub use place::Place;

/// A bucket, or a container of Azure, and what is said of the way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Who keeps it.
    pub service: Service,
}

/// Who keeps a bucket, with what is known besides the environment.
#[derive(Clone, PartialEq, Eq)]
pub enum Service {
    /// S3, or what speaks its protocol.
    S3 {
        /// The address, if it is not Amazon's.
        endpoint: Option<String>,
        /// The key's ID and the secret.
        keys: Option<(String, String)>,
    },
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure {
        /// A connection string.
        connection: Option<String>,
        /// The account's address.
        account_url: Option<String>,
        /// An account's key or a shared access signature.
        credential: Option<String>,
    },
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 { .. } => "S3",
            Self::Gcs => "Gcs",
            Self::Azure { .. } => "Azure",
        })
    }
}

/// Why a bucket cannot be opened, or an object not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file of certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// There is no HTTP client.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// A setting is missing or wrong.
    #[error("{}", without_queries(&.0.to_string()))]
    Store(object_store::Error),
    /// The URL names no folder of a store. It is not repeated where it may hold a secret.
    #[error("{0}")]
    Url(String),
    /// The store is away, or does not let this process in.
    #[error("cannot read {place}: {reason}")]
    Read {
        /// The object's URL.
        place: String,
        /// The store's words.
        reason: String,
    },
    /// More than is wanted.
    #[error("{place} has {size} bytes, and {most} at most are read")]
    TooLarge {
        /// The object's URL.
        place: String,
        /// Its size in bytes, as far as it is known.
        size: u64,
        /// How many there may be.
        most: u64,
    },
}

/// What a store says, without the queries of addresses: a signature is one.
pub fn without_queries(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let clean = words.map(|word| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => format!("{address}?… "),
        _ => word.to_owned(),
    });
    clean.collect()
}

/// What a store's error says, with what it comes from, each part once and no query.
pub fn told(error: &object_store::Error) -> String {
    without_queries(&chain(error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |error| error.source());
    below.fold(error.to_string(), |text, error| {
        let more = error.to_string();
        match text.contains(&more) {
            true => text,
            false => format!("{text}: {more}"),
        }
    })
}
