//! Waiting for futures in code that has none of its own.

use std::future::Future;
use std::thread;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// What futures run on; connections live as long.
///
/// # Errors
///
/// When the system has none to give.
pub(crate) fn runtime() -> Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start")
}

/// The outcome of `future`, whether or not this thread runs futures of its own.
pub(crate) fn wait<T: Send>(runtime: &Runtime, future: impl Future<Output = T> + Send) -> T {
    thread::scope(|scope| {
        let waiting = scope.spawn(move || runtime.block_on(future));
        waiting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
