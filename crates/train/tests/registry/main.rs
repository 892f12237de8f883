//! A registry beside the output: promotion, and processes that are killed.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "../common/mod.rs"]
mod common;
mod kill;
mod promotion;
mod support;
