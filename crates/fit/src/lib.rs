//! Fits models to features: [`softmax`] and [`ridge`] linear ones, [`trees`] boosted
//! trees. What the features are made of is the caller's.
//!
//! Everything here is deterministic: the same features and seed give the same model,
//! to the last bit on the same kind of machine.

mod blocks;
mod linear;
pub mod ridge;
mod settings;
pub mod softmax;
pub mod trees;

pub use blocks::{standardised, widened};
pub use linear::{Convergence, FitError, Linear, Scale, softmax as to_probabilities};
pub use settings::{ClassWeights, Hyperparameters};
pub use trees::Trees;

/// The entries of `values` at `rows`.
pub fn select<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter()
        .filter_map(|row| values.get(*row).copied())
        .collect()
}

/// Mean and standard deviation (of the population).
#[expect(clippy::cast_precision_loss, reason = "no table has 2^52 rows")]
pub fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}
