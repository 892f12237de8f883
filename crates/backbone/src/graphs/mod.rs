//! The graphs of the backbones that are known by name.

mod efficientnet;
mod minilm;

pub(crate) use efficientnet::efficientnet_lite0;
pub(crate) use minilm::minilm_l6;

pub(crate) use crate::head::EMBEDDING;

/// The name of what a head of a known backbone learns from, where that is more than the
/// embedding.
pub(crate) const FEATURES: &str = "features";

/// The name under which graphs say who wrote them.
const PRODUCER: &str = env!("CARGO_PKG_NAME");

/// The version of this crate.
const VERSION: &str = env!("CARGO_PKG_VERSION");
