//! Serves a model package over HTTP, to the Seldon v1 protocol and the Open
//! Inference Protocol at once.
//!
//! One core of prediction stands under all doors: a protocol (`seldon`,
//! `oip`) decodes a request into the model's features, `predict` runs the
//! graph on threads of its own (or at once, on those of `lanes`, where that is known
//! to take little), and the protocol encodes the answer. `http`
//! joins the protocols and the `page` for people to one router, [`run`] leads the
//! process from its settings to its end.

mod app;
mod door;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grpc;
mod http;
mod input;
mod json;
mod lanes;
mod metrics;
mod models;
mod monitor;
mod oip;
mod page;
mod predict;
mod problem;
mod proto;
mod registry;
pub mod run;
mod seldon;
mod trace;
