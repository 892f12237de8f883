//! Packages to serve, the server as a process, and a client.

pub(crate) mod client;
pub(crate) mod grpc;
pub(crate) mod onnx;
pub(crate) mod package;
pub(crate) mod proto;
pub(crate) mod server;
