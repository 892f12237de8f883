//! The program as its users meet it: one binary, so that it links once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod canary;
mod manifest;
mod matrix;
mod package;
mod rollout;
mod secrets;
mod stub;
mod support;
mod traces;
