//! The messages and services of the gRPC protocols, made by `build.rs`.

#![allow(
    clippy::all,
    clippy::too_many_lines,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    dead_code,
    reason = "the generator writes it"
)]

include!(concat!(env!("OUT_DIR"), "/protocols.rs"));

/// All files with what they import, encoded as a `FileDescriptorSet`.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
