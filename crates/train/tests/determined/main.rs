//! The real program against a Determined master: one experiment, one version, one
//! package, whatever happens.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "../common/mod.rs"]
mod common;
mod detached;
mod ends;
mod faults;
mod flow;
mod git;
mod own;
mod support;
mod traces;
mod trial;
