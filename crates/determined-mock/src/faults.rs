//! What can be made to go wrong.

use std::time::Duration;

/// What happens to a request instead of, or beside, its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This status with a proxy's page; the request has no effect.
    Status(u16),
    /// The answer comes later.
    Slow(Duration),
    /// The connection is closed; the request has no effect.
    CutBefore,
    /// The request takes effect, and the connection is closed without an answer.
    CutAfter,
    /// The request takes effect, and a proxy answers with this status.
    StatusAfter(u16),
    /// All tokens expire before it is looked at.
    ExpireTokens,
}

/// What is wrong with the archives that are downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveFault {
    /// The connection is closed after so many bytes.
    CutAt(usize),
    /// So many bytes come and the answer ends as if it were whole. With tar it
    /// has no length then, as from a proxy that has repacked it.
    EndAt(usize),
    /// A file is listed but not sent.
    Omit(String),
    /// A file that is not listed is sent, under exactly this path.
    Add(String),
}

/// A fault that waits for its requests.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) fault: Fault,
    pub(crate) times: usize,
}

/// Where the master stops to answer anything, so that a client can be killed
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// At which request, counted from 0 since the start.
    pub request: usize,
    /// Whether that request takes effect.
    pub after_effect: bool,
}
