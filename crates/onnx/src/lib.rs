//! Reading, building and joining ONNX graphs.
//!
//! [`proto`] holds the messages of [`onnx.proto`] (IR version 8) that a graph
//! needs, written by hand so that no protobuf compiler is wanted. [`GraphBuilder`]
//! makes a graph, [`decode()`] reads one, [`join()`] puts a head on a backbone.
//!
//! Two rules of the wire format are kept throughout, as runtimes insist on them:
//! `TensorProto.dims` and the repeated numbers of `AttributeProto` are written
//! unpacked, as the reference implementation writes them; and every graph has a
//! name, which `onnx.checker` wants.
//!
//! [`onnx.proto`]: https://github.com/onnx/onnx/blob/v1.12.0/onnx/onnx.proto

mod builder;
mod join;
mod lengths;
pub mod proto;
mod read;
mod tensor;

pub use builder::{Attribute, Dim, GraphBuilder};
pub use join::{JoinError, join};
pub use lengths::check_lengths;
pub use proto::ModelProto;
pub use read::{DecodeError, decode, encode};
pub use tensor::ElementType;

/// The version of the default operator set that built graphs are written in:
/// the first with `LayerNormalization`.
pub const OPSET: i64 = 17;
