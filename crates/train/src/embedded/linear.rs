//! A linear head: the multinomial logistic regression of tables.

use fit::{FitError, Hyperparameters, softmax};

use super::layers::Layers;
use super::rows::{Rows, Scaled, Scaling};
use crate::delta::Prior;

/// Fits a linear head to `rows`. Where there is a `prior`, the penalty holds the head
/// to that one, so that what the rows do not tell stays as it was.
pub(super) fn fit(
    rows: Rows<'_>,
    codes: &[usize],
    classes: usize,
    settings: &Hyperparameters,
    prior: Option<&Prior>,
) -> Result<Layers, FitError> {
    let mut scaling = Scaling::of(&rows);
    if let Some(prior) = prior {
        scaling.widen(&prior.deviation);
    }
    let prior = prior.map(|prior| scaling.scaled(&prior.head));
    let scaled = Scaled::new(rows, &scaling);
    let (linear, _) = softmax::fit(&scaled, codes, classes, settings, prior.as_ref())?;
    Ok(Layers::new(vec![(linear.weights, linear.bias)]).behind(&scaling))
}
