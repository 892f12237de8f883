//! Work on many files at once, in a share for each processor.

use std::panic::resume_unwind;
use std::thread;

use anyhow::Result;

/// So many items are worth a thread; fewer are done by the caller's own.
const LEAST: usize = 64;

/// Does `work` for shares of `items` and gives what came of each, in order.
///
/// # Errors
/// The first error of a share, when all have ended.
pub(crate) fn shares<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&[T]) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(workers).max(LEAST);
    if items.len() <= share {
        return Ok(vec![work(items)?]);
    }
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(share)
            .map(|share| scope.spawn(move || work(share)))
            .collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        let results: Vec<Result<R>> = joined
            .map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect();
        results.into_iter().collect()
    })
}
