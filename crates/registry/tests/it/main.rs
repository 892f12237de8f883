//! Registries in folders and in the stores of three clouds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod faults;
mod moto;
mod publish;
#[path = "../../../determined/tests/it/python.rs"]
mod python;
mod support;
