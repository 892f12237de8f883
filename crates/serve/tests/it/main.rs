//! Starts the real binary and speaks HTTP to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod lifecycle;
mod metrics;
mod oip;
mod seldon;
mod settings;
mod support;

use support::onnx;
