//! The gRPC port: the services of all protocols on one plaintext listener.

mod layer;
mod listener;
mod status;

pub(crate) use listener::{Limits, listen};
pub(crate) use status::status;
