//! The engine `local`: a linear model of tabular data, fitted in this process.
//!
//! [`features`] turns the graph's input into features, [`softmax`] and [`ridge`]
//! fit a linear model to them. The graph that is exported does the same steps.

mod features;
mod linear;
mod ridge;
pub(crate) mod softmax;

pub(crate) use features::{Encoder, FARTHEST, Part, moments, sorted};
pub use linear::FitError;
pub(crate) use linear::{Convergence, Linear, Scale, softmax as to_probabilities};

use ndarray::Array2;

use crate::data::{Dataset, Split, Target};
use crate::experiment::Experiment;

/// A model fitted to the training rows.
#[derive(Debug)]
pub(crate) struct Fitted {
    /// From the graph's input to features.
    pub(crate) encoder: Encoder,
    /// From features to scores.
    pub(crate) linear: Linear,
    /// How the solver ended; none for a regression, which is solved exactly.
    pub(crate) convergence: Option<Convergence>,
    /// The standard deviation of every feature in the training rows.
    pub(crate) spread: Vec<f64>,
}

/// Fits a model to the training rows of `split`.
///
/// # Errors
///
/// When the equations have no single solution, or the solver fails.
pub(crate) fn fit(
    data: &Dataset,
    split: &Split,
    experiment: &Experiment,
) -> Result<Fitted, FitError> {
    let training = data.columns.select(ndarray::Axis(0), &split.training);
    let encoder = Encoder::fit(&data.table, &training);
    let features = encoder.encode(&training);
    let settings = &experiment.hyperparameters;
    let (linear, convergence) = match &data.target {
        Target::Classes { labels, codes } => {
            let codes = select(codes, &split.training);
            let (linear, convergence) = softmax::fit(&features, &codes, labels.len(), settings)?;
            (linear, Some(convergence))
        }
        Target::Numbers(numbers) => (
            ridge::fit(&features, &select(numbers, &split.training), settings.l2)?,
            None,
        ),
    };
    let spread = features
        .columns()
        .into_iter()
        .map(|column| column.std(0.0))
        .collect();
    Ok(Fitted {
        encoder,
        linear,
        convergence,
        spread,
    })
}

impl Fitted {
    /// The model's own outputs for rows of the graph's input: probabilities
    /// `[rows, classes]`, or predictions `[rows, 1]`.
    pub(crate) fn predict(&self, columns: &Array2<f32>) -> Array2<f64> {
        self.linear.outputs(&self.encoder.encode(columns))
    }
}

/// The entries of `values` at `rows`.
pub(crate) fn select<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter()
        .filter_map(|row| values.get(*row).copied())
        .collect()
}
