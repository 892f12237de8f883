//! The Seldon v1 protocol, over HTTP and gRPC.
//!
//! A message is a `Message` whichever door it came through; `call` has a unit
//! answer it, and the door writes the `Reply`.
//!
//! Source: the servers of Seldon Core v1.17, whose Python wrapper this replaces.

mod array;
mod call;
mod convert;
mod described;
mod echo;
mod feedback;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod grpc;
mod lists;
mod media;
mod message;
mod metadata;
mod names;
mod package;
mod pass;
mod protojson;
mod records;
mod reply;
mod routes;
mod source;
mod tftensor;

pub(crate) use grpc::{MODEL, Predicting, SELDON, SERVICES, add_services};
pub(crate) use metadata::{Metadata, Overrides};
pub(crate) use reply::Node;
pub(crate) use routes::{PUID, called, message, new_puid, problem, router};
