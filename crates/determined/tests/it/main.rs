//! The client against a master on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod contract;
mod download;
mod follow;
mod registry;
mod requests;
mod sdk;
mod support;
mod tls;
