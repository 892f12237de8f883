//! The gRPC port: the services of all protocols on one plaintext listener.

mod codec;
mod front;
mod layer;
mod listener;
mod status;
mod tell;
mod weight;

pub(crate) use codec::Codec;
pub(crate) use listener::{Limits, listen};
pub(crate) use status::status;
pub(crate) use tell::{Call, served};
