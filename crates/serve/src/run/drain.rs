//! The orderly end.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::app::App;

/// The signals that end the server. They are caught from the first moment on.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches SIGTERM and SIGINT.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal and gives its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits for a signal, turns the readiness off, and goes on answering for
/// `delay`, so that the cluster notices before the port closes. A second signal
/// ends the wait.
pub(super) async fn drained(app: &App, signals: &mut Signals, delay: Duration) {
    let name = signals.next().await;
    app.drain();
    let seconds = delay.as_secs_f64();
    tracing::info!(signal = name, seconds, "draining");
    tokio::select! {
        () = sleep(delay) => {}
        _ = signals.next() => {}
    }
}
