//! Why a commit could not be fetched.

use std::io;
use std::path::{Path, PathBuf};

/// Why a commit could not be fetched. No message holds credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be used; nothing was sent.
    #[error("the git URL cannot be used: {0}")]
    Url(String),
    /// A setting of TLS cannot be used; nothing was sent.
    #[error("the certificates {} cannot be used: {reason}", path.display())]
    Certificates {
        /// The PEM file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The name cannot be one of a revision; nothing was sent.
    #[error("the git revision {revision:?} cannot be used: {reason}")]
    Revision {
        /// What was asked for.
        revision: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No connection, or it broke.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// The repository.
        url: String,
        /// What the network says.
        reason: String,
    },
    /// 401 without credentials.
    #[error(
        "{url} wants a user and a token, and there is none; a repository that does not exist may answer so too"
    )]
    NoCredentials {
        /// The repository.
        url: String,
    },
    /// 401 or 403 with credentials.
    #[error(
        "{url} answers {status} to the user {user:?} and the token: check that the token is whole, not expired, and may read this repository"
    )]
    Refused {
        /// The repository.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The user, who is no secret.
        user: String,
    },
    /// Any other HTTP status that is no success.
    #[error("{url} answers {status}{}", meaning(*.status))]
    Answer {
        /// The repository.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// What came is not what a git server says.
    #[error("{url} does not answer as a git server: {reason}")]
    Protocol {
        /// The repository.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such branch, tag or commit.
    #[error("{url} has no branch, tag or commit {revision:?}; {known}")]
    NotFound {
        /// The repository.
        url: String,
        /// What was asked for.
        revision: String,
        /// What there is, in words.
        known: String,
    },
    /// Several commits begin so.
    #[error("{url} has {count} commits that begin with {revision}: give more digits")]
    Ambiguous {
        /// The repository.
        url: String,
        /// What was asked for.
        revision: String,
        /// How many.
        count: usize,
    },
    /// The repository or the commit is larger than is received.
    #[error("{what}: it is not received")]
    TooLarge {
        /// What is larger than what.
        what: String,
    },
    /// The commit cannot be written as files.
    #[error("commit {commit} cannot be used: {reason}")]
    Commit {
        /// The commit, or what else the revision names.
        commit: String,
        /// Which entry, and what is wrong with it.
        reason: String,
    },
    /// A local file or folder cannot be written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried, in words.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn file<'a>(
        action: &'static str,
        path: impl AsRef<Path> + 'a,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::File {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        403 => ": it may not be read without a token",
        404 => ": there is no repository at this address, or the token may not see it",
        429 => ": too many requests; try again later",
        500.. => ": the server or a proxy before it fails; try again later",
        _ => "",
    }
}
