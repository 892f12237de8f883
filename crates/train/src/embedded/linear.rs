//! A linear head: the multinomial logistic regression of tables.

use super::layers::Layers;
use super::rows::{Rows, Scaled, Scaling};
use crate::experiment::Hyperparameters;
use crate::local::{FitError, Linear, softmax};

/// Fits a linear head to `rows`. Where there is a `prior`, the penalty holds the head
/// to that one, so that what the rows do not tell stays as it was.
pub(super) fn fit(
    rows: Rows<'_>,
    codes: &[usize],
    classes: usize,
    settings: &Hyperparameters,
    prior: Option<&Linear>,
) -> Result<Layers, FitError> {
    let scaling = Scaling::of(&rows);
    let prior = prior.map(|prior| scaling.scaled(prior));
    let scaled = Scaled {
        rows,
        scaling: &scaling,
    };
    let (linear, _) = softmax::fit(&scaled, codes, classes, settings, prior.as_ref())?;
    Ok(Layers(vec![(linear.weights, linear.bias)]).behind(&scaling))
}
