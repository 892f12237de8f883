//! SIGTERM and Ctrl-C while this process trains: it ends at once, unless the model is
//! being published, which takes an instant and is finished.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::progress;

/// Which comes first: the publication, or a signal.
pub(crate) struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// From here on, a signal ends this process with exit status 1 and a word of what
    /// happened. The first process of a container, which the kernel would not end,
    /// ends as well.
    pub(crate) fn watch() -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .build()
            .context("cannot wait for signals")?;
        let (mut terminate, mut interrupt) = {
            let _inside = runtime.enter();
            let listen = |kind| signal(kind).context("cannot wait for signals");
            (
                listen(SignalKind::terminate())?,
                listen(SignalKind::interrupt())?,
            )
        };
        let decided = Arc::new(AtomicBool::new(false));
        let publishes = Arc::clone(&decided);
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            });
            if !publishes.swap(true, Ordering::SeqCst) {
                progress::last(format_args!(
                    "error: stopped by a signal; nothing was published"
                ));
                // What a library does at an orderly end would break what its threads compute.
                signal_hook::low_level::exit(1);
            }
        });
        Ok(Self(decided))
    }

    /// From here on, a signal changes nothing. Where one came first, this process is
    /// about to end, and this does not return.
    pub(crate) fn too_late(self) {
        while self.0.swap(true, Ordering::SeqCst) {
            std::thread::park();
        }
    }
}
