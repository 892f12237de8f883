//! Buckets of the clouds, opened with the credentials of the environment.
//!
//! [`Access`] holds the variables, by the names that the clouds' own tools give them;
//! [`Access::open`] gives the store of a [`Bucket`].

mod cloud;
mod http;

use std::fmt;

pub use cloud::Access;

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

/// Why a bucket cannot be opened.
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
