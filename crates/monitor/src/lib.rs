//! What a model was trained on, and how far from it a request lies.
//!
//! Training makes a [`Reference`] of its rows (of a table, or of the embeddings of
//! pictures or texts) and leaves it in the model package. Whoever
//! serves the model asks a [`Scorer`] for the outlier score of each row, gathers
//! the rows of some requests in a [`Window`], and tests the window for drift.
//!
//! A row is as many 32-bit floats as there are features: the value itself, the
//! position of a category, NaN where there is none.

mod drift;
mod outlier;
mod reference;

pub use drift::{Drift, FeatureDrift, Window};
pub use outlier::Scorer;
pub use reference::{Feature, Kind, Measure, Reference, ReferenceError, Values};
