//! A linear head: the multinomial logistic regression of tables.

use super::layers::Layers;
use super::rows::{Rows, Scaled, Scaling};
use crate::experiment::Hyperparameters;
use crate::local::{FitError, softmax};

/// Fits a linear head to `rows`.
pub(super) fn fit(
    rows: Rows<'_>,
    codes: &[usize],
    classes: usize,
    settings: &Hyperparameters,
) -> Result<Layers, FitError> {
    let scaling = Scaling::of(&rows);
    let scaled = Scaled {
        rows,
        scaling: &scaling,
    };
    let (linear, _) = softmax::fit(&scaled, codes, classes, settings)?;
    Ok(Layers(vec![(linear.weights, linear.bias)]).behind(&scaling))
}
