//! The threads that talk to clients.
//!
//! Each has its own connections and hands none of their work to another, so that a
//! small request is read, computed and answered without a change of thread. What
//! takes longer is done by the [pool](crate::predict::Pool).

use std::cell::OnceCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use model::Lane;
use tokio::runtime::{Builder, Handle};

thread_local! {
    static OWN: OnceCell<Lane> = const { OnceCell::new() };
}

/// Threads with an event loop each, on which graphs run without a change of thread.
/// They live as long as the process.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    loops: Arc<[Handle]>,
    next: Arc<AtomicUsize>,
}

impl Lanes {
    /// Starts `count` threads.
    ///
    /// # Errors
    ///
    /// When the system gives no more.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let start = |number: usize| {
            let (send, receive) = mpsc::channel();
            Lane::spawn(format!("io-{number}"), move |lane| {
                OWN.with(|own| {
                    own.get_or_init(|| lane.clone());
                });
                let runtime = Builder::new_current_thread().enable_all().build();
                let started = runtime.as_ref().map(|runtime| runtime.handle().clone());
                let told = send.send(started.map_err(|error| io::Error::other(error.to_string())));
                if let (Ok(runtime), Ok(())) = (runtime, told) {
                    runtime.block_on(std::future::pending::<()>());
                }
            })?;
            receive.recv().map_err(io::Error::other)?
        };
        Ok(Self {
            loops: (0..count.max(1)).map(start).collect::<io::Result<_>>()?,
            next: Arc::default(),
        })
    }

    /// The event loop of the next connection: they take turns.
    pub(crate) fn next(&self) -> Option<&Handle> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.loops.get(turn.checked_rem(self.loops.len())?)
    }
}

/// The lane that the calling thread is, if it is one.
pub(crate) fn own() -> Option<Lane> {
    OWN.with(|own| own.get().cloned())
}
