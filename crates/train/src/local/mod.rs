//! The engine `local`: a model of tabular data, fitted in this process.
//!
//! [`features`] turns the graph's input into features, [`softmax`] and [`ridge`]
//! fit a linear model to them, [`trees`] boosts trees, and [`compare`] says which
//! are published. The graph that is exported does the same steps.

mod compare;
mod features;
mod linear;
mod ridge;
pub(crate) mod softmax;
mod trees;

pub(crate) use compare::Comparison;
pub(crate) use features::{Encoder, FARTHEST, Part, moments, sorted};
pub use linear::FitError;
pub(crate) use linear::{Convergence, Linear, Scale, softmax as to_probabilities};
pub(crate) use trees::Trees;

use ndarray::Array2;

use crate::data::{Dataset, Split, Target};
use crate::experiment::{Experiment, ModelKind};

/// A model fitted to the training rows.
#[derive(Debug)]
pub(crate) struct Fitted {
    /// From the graph's input to features.
    pub(crate) encoder: Encoder,
    /// From features to scores; where there are trees, what they were compared with.
    pub(crate) linear: Linear,
    /// The trees, where they are better.
    pub(crate) trees: Option<Trees>,
    /// How both did in the cross-validation, where there was one.
    pub(crate) comparison: Option<Comparison>,
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
            let (linear, convergence) =
                softmax::fit(&features, &codes, labels.len(), settings, None)?;
            (linear, Some(convergence))
        }
        Target::Numbers(numbers) => (
            ridge::fit(&features, &select(numbers, &split.training), settings.l2)?,
            None,
        ),
    };
    let targets = compare::targets(&data.target, &split.training, &linear, settings);
    let rows = compare::Rows {
        raw: encoder.raw(&training),
        scaled: features,
        targets,
    };
    let (trees, comparison) = boosted(&rows, experiment)?;
    let spread = rows
        .scaled
        .columns()
        .into_iter()
        .map(|column| column.std(0.0))
        .collect();
    Ok(Fitted {
        encoder,
        linear,
        trees,
        comparison,
        convergence,
        spread,
    })
}

/// Trees, where the experiment allows them and they are wanted or better.
fn boosted(
    rows: &compare::Rows,
    experiment: &Experiment,
) -> Result<(Option<Trees>, Option<Comparison>), FitError> {
    let allowed = |kind| experiment.search.models.contains(&kind);
    if !allowed(ModelKind::Trees) || rows.targets.rows() < compare::FEWEST {
        return Ok((None, None));
    }
    let comparison = compare::compare(rows, &experiment.hyperparameters, experiment.seed)?;
    let wanted = Comparison {
        linear: if allowed(ModelKind::Linear) {
            comparison.linear
        } else {
            f64::INFINITY
        },
        ..comparison
    };
    let trees = compare::chosen(rows, &wanted, experiment.seed);
    Ok((trees, Some(comparison)))
}

impl Fitted {
    /// The model's own outputs for rows of the graph's input: probabilities
    /// `[rows, classes]`, or predictions `[rows, 1]`.
    pub(crate) fn predict(&self, columns: &Array2<f32>) -> Array2<f64> {
        match &self.trees {
            None => self.linear.outputs(&self.encoder.encode(columns)),
            Some(trees) => self
                .linear
                .finished(trees.scores(&self.encoder.raw(columns))),
        }
    }
}

/// The entries of `values` at `rows`.
pub(crate) fn select<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter()
        .filter_map(|row| values.get(*row).copied())
        .collect()
}
