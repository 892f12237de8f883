//! Fetches the files of one commit of a git repository, over HTTP and without a git
//! program.
//!
//! ```no_run
//! # fn run() -> Result<(), git::Error> {
//! let remote = git::Remote::new("https://git.example/team/experiment.git")?;
//! let folder = std::path::Path::new("/tmp/experiment");
//! let fetched = git::fetch(&remote, "main", folder)?;
//! println!("{} is the commit of {}", fetched.commit, fetched.revision);
//! # Ok(())
//! # }
//! ```
//!
//! Only what the commit needs is asked for, where the server allows that. A server is
//! not trusted: what it sends is limited ([`MAX_PACK`], [`MAX_OBJECT`], [`MAX_FILES`]),
//! verified by its digests, and written nowhere but below the given folder.

mod error;
mod exchange;
mod export;
mod pack;
mod remote;
mod revision;
mod session;
mod web;

use std::path::Path;

pub use error::Error;
pub use remote::Remote;

use crate::export::Export;
use crate::revision::Revision;
use crate::session::Session;

/// The most that is received of a repository, in bytes: compressed, as one pack.
pub const MAX_PACK: u64 = 1 << 30;

/// The largest object that is received, in bytes.
pub const MAX_OBJECT: usize = 256 << 20;

/// The most files, links and folders that a commit may have, and the most bytes.
pub const MAX_FILES: (usize, u64) = (200_000, 2 << 30);

/// What [`fetch`] has written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// The commit: 40 hex digits.
    pub commit: String,
    /// What was asked for, in full: `refs/heads/main`, `refs/tags/v1`, or the commit.
    pub revision: String,
    /// How many files and links there are.
    pub files: usize,
    /// Paths of submodules, which are left as empty folders as `git clone` does.
    pub submodules: Vec<String>,
}

/// Writes the files of a commit into the folder `into`, which must be empty.
///
/// `revision` is a branch, else a tag, else a commit: 40 hex digits, or at least 7 of
/// them, for which the server's whole history may be needed. `HEAD` is the server's
/// default branch. A full name as `refs/pull/7/head` is also taken.
///
/// Links are written as they are, and may lead anywhere: whoever reads the files must
/// not follow one out of the folder. No filter of `.gitattributes` is applied.
///
/// # Errors
///
/// When the server cannot be reached, refuses the credentials, is no git server, or
/// does not have the revision; when the commit is too large or has a name that cannot
/// be a file's. The folder may then hold some of the files.
pub fn fetch(remote: &Remote, revision: &str, into: &Path) -> Result<Fetched, Error> {
    let revision = Revision::parse(revision)?;
    let scratch =
        tempfile::tempdir().map_err(Error::file("create a folder in", std::env::temp_dir()))?;
    let mut session = Session::open(remote, scratch.path())?;
    let found = revision.find(&mut session)?;
    let pack = session.obtain(found.id, found.name.is_some())?;
    let (commit, tree) = pack.commit(found.id)?;
    let mut export = Export::new(&pack, into, commit);
    export.write(tree)?;
    Ok(Fetched {
        commit: commit.to_string(),
        revision: found.name.unwrap_or_else(|| commit.to_string()),
        files: export.files,
        submodules: export.submodules,
    })
}
