//! `cargo xtask local` as a developer runs it, over stand-ins for the programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "local/backbones.rs"]
mod backbones;
#[path = "local/case.rs"]
mod case;
#[path = "local/containers.rs"]
mod containers;
#[path = "local/jobs.rs"]
mod jobs;
#[path = "local/killed.rs"]
mod killed;
#[path = "local/questions.rs"]
mod questions;
#[path = "local/scenarios.rs"]
mod scenarios;
#[path = "local/serving.rs"]
mod serving;
