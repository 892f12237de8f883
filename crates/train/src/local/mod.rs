//! The engine `local`: a model of tabular data, fitted in this process.
//!
//! [`features`] turns the graph's input into features, the crate `fit` fits a linear
//! model and boosts trees, and [`compare`] says which are published. The graph that is exported does the same steps.

mod compare;
mod continued;
mod features;

pub(crate) use compare::{Comparison, Unseen};
pub(crate) use continued::Continued;
pub(crate) use features::{Encoder, FARTHEST, Part, sorted};
use fit::{Convergence, FitError, Linear, Trees, ridge, select, softmax, trees};
use ndarray::Array2;

use crate::data::{Dataset, Split, Target};
use crate::experiment::{Experiment, ModelKind};
use crate::progress::Progress;

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

/// The linear model of some rows, and the rows as both kinds of model take them.
struct Base {
    encoder: Encoder,
    linear: Linear,
    convergence: Option<Convergence>,
    rows: compare::Rows,
}

/// Fits a model to the training rows of `split`; gives what models of parts of them say
/// of the others, where they are enough for that.
///
/// # Errors
///
/// When the equations have no single solution, or the solver fails.
pub(crate) fn fit(
    data: &Dataset,
    split: &Split,
    experiment: &Experiment,
) -> Result<(Fitted, Option<Unseen>), FitError> {
    let base = base(data, &split.training, experiment)?;
    let (trees, comparison, unseen) = boosted(&base.rows, experiment)?;
    Ok((base.finished(trees, comparison), unseen))
}

/// Fits a model of the same kind as `fitted` to the rows at `rows`.
///
/// # Errors
///
/// As [`fit()`].
pub(crate) fn refit(
    data: &Dataset,
    rows: &[usize],
    experiment: &Experiment,
    fitted: &Fitted,
) -> Result<Fitted, FitError> {
    let base = base(data, rows, experiment)?;
    let trees = fitted.trees.as_ref().map(|trees| {
        let rounds = trees::Rounds::Exactly(trees.trees.len());
        let progress = Progress::new("fitted the trees", trees.trees.len());
        let rows = &base.rows;
        trees::fit(&rows.raw, &rows.targets, &rounds, experiment.seed, &|| {
            progress.advance(1)
        })
        .0
    });
    Ok(base.finished(trees, None))
}

fn base(data: &Dataset, rows: &[usize], experiment: &Experiment) -> Result<Base, FitError> {
    let training = data.columns.select(ndarray::Axis(0), rows);
    let mut encoder = Encoder::fit(&data.table, &training);
    if let Some(continued) = &data.continued {
        continued.scale(&mut encoder, &data.table);
    }
    let prior = data.continued.as_ref();
    let prior = prior.map(|last| last.prior(&encoder, &data.table, data.target.labels()));
    let features = encoder.encode(&training);
    let settings = &experiment.hyperparameters;
    let (linear, convergence) = match &data.target {
        Target::Classes { labels, codes } => {
            let codes = select(codes, rows);
            let (linear, convergence) =
                softmax::fit(&features, &codes, labels.len(), settings, prior.as_ref())?;
            (linear, Some(convergence))
        }
        Target::Numbers(numbers) => {
            let numbers = select(numbers, rows);
            let linear = ridge::fit(&features, &numbers, settings.l2, prior.as_ref())?;
            (linear, None)
        }
    };
    Ok(Base {
        rows: compare::Rows {
            raw: encoder.raw(&training),
            targets: compare::targets(&data.target, rows, &linear, settings),
            groups: select(&data.groups, rows),
            scaled: features,
            prior,
        },
        encoder,
        linear,
        convergence,
    })
}

impl Base {
    fn finished(self, trees: Option<Trees>, comparison: Option<Comparison>) -> Fitted {
        let features = self.rows.scaled.columns().into_iter();
        Fitted {
            spread: features.map(|feature| feature.std(0.0)).collect(),
            encoder: self.encoder,
            linear: self.linear,
            convergence: self.convergence,
            trees,
            comparison,
        }
    }
}

/// Trees, where the experiment allows them and they are wanted or better; the
/// comparison with the linear model; and what it has shown of single rows.
type Boosted = (Option<Trees>, Option<Comparison>, Option<Unseen>);

fn boosted(rows: &compare::Rows, experiment: &Experiment) -> Result<Boosted, FitError> {
    let allowed = |kind| experiment.tries(kind);
    let (settings, seed) = (&experiment.hyperparameters, experiment.seed);
    if !allowed(ModelKind::Trees) || rows.targets.rows() < compare::FEWEST {
        // Nothing is chosen by it, so it need not succeed.
        let tries = compare::try_parts(rows, settings, seed, false).ok();
        return Ok((None, None, tries.map(|tries| tries.unseen(rows, None))));
    }
    let tries = compare::try_parts(rows, settings, seed, true)?;
    let comparison = tries.comparison();
    let wanted = Comparison {
        linear: if allowed(ModelKind::Linear) {
            comparison.linear
        } else {
            f64::INFINITY
        },
        ..comparison
    };
    let trees = compare::chosen(rows, &wanted, seed);
    let count = trees.as_ref().map(|trees| trees.trees.len());
    Ok((trees, Some(comparison), Some(tries.unseen(rows, count))))
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
