//! The system's limit of open files, of which every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files besides connections: ports, packages, those of the runtime.
const OTHERS: u64 = 128;

/// Raises the limit as far as this process may, and gives how many connections of
/// `wanted` there can be.
pub(super) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(files) = current else {
        return wanted;
    };
    let room = usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    if room < wanted {
        tracing::warn!(
            files,
            connections = room,
            "the limit of open files (ulimit -n) allows fewer connections than --connections"
        );
    }
    wanted.min(room).max(1)
}
