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

use std::sync::OnceLock;

use prost_reflect::DescriptorPool;

pub(crate) use crate::grpc::Codec;

include!(concat!(env!("OUT_DIR"), "/protocols.rs"));

/// All files with what they import, encoded as a `FileDescriptorSet`.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The declarations of all messages.
pub(crate) fn pool() -> Option<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).ok())
        .as_ref()
}
