//! Packages to serve, the server as a process, and a client.

use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod frames;
pub(crate) mod grpc;
pub(crate) mod onnx;
pub(crate) mod overload;
pub(crate) mod package;
pub(crate) mod proto;
pub(crate) mod server;
pub(crate) mod wire;

/// Waits until `condition` holds.
pub(crate) fn eventually(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it did not happen"
        );
        sleep(Duration::from_millis(10));
    }
}
