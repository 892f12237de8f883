//! A linear head: the multinomial logistic regression of tables.

use ndarray::{Array2, Axis};

use super::layers::{Layers, Scaling};
use crate::experiment::Hyperparameters;
use crate::local::{FitError, softmax};

/// Fits a linear head to `vectors` `[examples, width]`.
pub(super) fn fit(
    vectors: &Array2<f32>,
    codes: &[usize],
    classes: usize,
    settings: &Hyperparameters,
) -> Result<Layers, FitError> {
    let wide = vectors.mapv(f64::from);
    let scaling = Scaling::of(&wide);
    let (linear, _) = softmax::fit(&scaling.apply(&wide), codes, classes, settings)?;
    Ok(Layers(vec![(linear.weights, linear.bias)]).behind(&scaling))
}

/// The rows of `vectors` at `rows`.
pub(super) fn rows_of(vectors: &Array2<f32>, rows: &[usize]) -> Array2<f32> {
    vectors.select(Axis(0), rows)
}
