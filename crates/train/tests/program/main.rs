//! The real program, on data sets, clusters, registries and backbones made for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod backbone_url;
mod common;
mod delta;
mod delta_table;
mod determined;
mod embedded;
mod engines;
mod interruption;
mod iris;
mod metrics;
mod onnxruntime;
mod refusals;
mod registry;
mod scale;
mod sklearn;
mod stopping;
mod tables;
mod terminal;
mod text_files;
mod verify;
