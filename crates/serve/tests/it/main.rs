//! Starts the real binary and speaks HTTP to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod batching;
mod binary;
mod browser;
mod clients;
mod compressed;
mod echo;
mod engines;
mod events;
mod grpc;
mod heavy;
mod hostile;
mod hostile_grpc;
mod lifecycle;
mod media;
mod metrics;
mod models;
mod monitor;
mod objects;
mod oip;
mod overload;
mod page;
mod registry;
mod seldon;
mod seldon_grpc;
mod settings;
mod support;
mod tracing;
mod vectors;

// The name by which the generated code finds its codec.
use support::proto;
