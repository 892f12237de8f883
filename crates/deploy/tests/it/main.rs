//! The program as its users meet it: one binary, so that it links once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod canary;
mod cluster;
mod defects;
mod detectors;
mod killed;
mod manifest;
mod matrix;
mod package;
mod rights;
mod rollout;
mod secrets;
mod stub;
mod support;
mod traces;
