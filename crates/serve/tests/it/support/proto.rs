//! The messages and clients of the gRPC protocols, made by `build.rs`.

#![allow(
    clippy::all,
    clippy::too_many_lines,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    dead_code,
    reason = "the generator writes it"
)]

pub(crate) use tonic_prost::ProstCodec as Codec;

include!(concat!(env!("OUT_DIR"), "/protocols.rs"));
