//! The gRPC port: the services of all protocols on one plaintext listener.

mod layer;
mod listener;
mod status;
mod tell;

pub(crate) use listener::{Limits, listen};
pub(crate) use status::status;
pub(crate) use tell::Call;
