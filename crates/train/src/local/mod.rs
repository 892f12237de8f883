//! The engine `local`: a model of tabular data, fitted in this process.
//!
//! [`features`] turns the graph's input into features, the crate `fit` fits a linear
//! model and boosts trees, and [`compare`] says which are published. The graph that is exported does the same steps.

mod compare;
mod continued;
mod features;
mod temperature;

pub(crate) use compare::{Comparison, Unseen};
pub(crate) use continued::Continued;
pub(crate) use features::{Encoder, FARTHEST, Part, sorted};
use fit::{Convergence, FitError, Hyperparameters, Linear, Trees, ridge, select, softmax, trees};
use ndarray::Array2;

use crate::data::{Dataset, Split, Target};
use crate::experiment::{Experiment, ModelKind};
use crate::progress::{Progress, step};

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
    /// The penalty of the linear model.
    pub(crate) l2: f64,
    /// What the scores of a classification were divided by, in weights or leaves.
    pub(crate) temperature: f64,
    /// The standard deviation of every feature in the training rows.
    pub(crate) spread: Vec<f64>,
}

/// The linear model of some rows, and the rows as both kinds of model take them.
struct Base {
    encoder: Encoder,
    linear: Linear,
    convergence: Option<Convergence>,
    l2: f64,
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
    let penalties = experiment.penalties();
    let first = penalties.first().unwrap_or(&experiment.hyperparameters);
    let mut base = base(data, &split.training, first)?;
    let Boosted {
        trees,
        comparison,
        penalty,
        mut unseen,
    } = boosted(&base.rows, penalties.clone(), experiment)?;
    if let Some(chosen) = penalties.get(penalty).filter(|_| penalty > 0) {
        base = self::base(data, &split.training, chosen)?;
    }
    let mut fitted = base.finished(trees, comparison);
    if let (Some(unseen), Target::Classes { codes, .. }, None) =
        (&mut unseen, &data.target, &data.continued)
    {
        let codes = select(&select(codes, &split.training), &unseen.rows);
        fitted.cool(temperature::temperature(&unseen.scores, &codes));
        unseen.scores /= fitted.temperature;
    }
    Ok((fitted, unseen))
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
    let settings = Hyperparameters {
        l2: fitted.l2,
        ..experiment.hyperparameters.clone()
    };
    let base = base(data, rows, &settings)?;
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

fn base(data: &Dataset, rows: &[usize], settings: &Hyperparameters) -> Result<Base, FitError> {
    let training = data.columns.select(ndarray::Axis(0), rows);
    let mut encoder = Encoder::fit(&data.table, &training);
    if let Some(continued) = &data.continued {
        continued.scale(&mut encoder, &data.table);
    }
    let prior = data.continued.as_ref();
    let prior = prior.map(|last| last.prior(&encoder, &data.table, data.target.labels()));
    let features = encoder.encode(&training);
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
        l2: settings.l2,
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
            l2: self.l2,
            temperature: 1.0,
            trees,
            comparison,
        }
    }
}

/// What the cross-validation has shown.
struct Boosted {
    /// Trees, where the experiment allows them and they are wanted or better.
    trees: Option<Trees>,
    /// The comparison with the linear model.
    comparison: Option<Comparison>,
    /// The position of the linear model's penalty.
    penalty: usize,
    /// What was said of single rows.
    unseen: Option<Unseen>,
}

fn boosted(
    rows: &compare::Rows,
    penalties: Vec<Hyperparameters>,
    experiment: &Experiment,
) -> Result<Boosted, FitError> {
    let allowed = |kind| experiment.tries(kind);
    let plan = compare::Plan {
        penalties,
        trees: allowed(ModelKind::Trees) && rows.targets.rows() >= compare::FEWEST,
        folds: experiment.search.folds,
        seed: experiment.seed,
    };
    let tries = match compare::try_parts(rows, &plan) {
        Ok(tries) => tries,
        // Nothing is chosen by it, so it need not succeed.
        Err(_) if !plan.trees && plan.penalties.len() == 1 => {
            return Ok(Boosted {
                trees: None,
                comparison: None,
                penalty: 0,
                unseen: None,
            });
        }
        Err(error) => return Err(error),
    };
    tell_penalties(&plan, &tries.losses());
    let comparison = tries.comparison();
    let penalty = comparison.penalty;
    let linear = match allowed(ModelKind::Linear) {
        true => comparison.linear,
        false => f64::INFINITY,
    };
    let wanted = Comparison {
        linear,
        ..comparison
    };
    let trees = compare::chosen(rows, &wanted, experiment.seed);
    let count = trees.as_ref().map(|trees| trees.trees.len());
    Ok(Boosted {
        trees,
        comparison: plan.trees.then_some(comparison),
        penalty,
        unseen: Some(tries.unseen(rows, penalty, count)),
    })
}

fn tell_penalties(plan: &compare::Plan, losses: &[f64]) {
    if plan.penalties.len() > 1 {
        for (settings, loss) in plan.penalties.iter().zip(losses) {
            step(format_args!(
                "tried the linear model with l2 {}: loss {loss:.4} in cross-validation",
                settings.l2
            ));
        }
    }
}

impl Fitted {
    /// Divides the scores by `temperature`, which changes no answer.
    fn cool(&mut self, temperature: f64) {
        self.temperature = temperature;
        match &mut self.trees {
            Some(trees) => trees.cool(temperature),
            None => {
                self.linear.weights /= temperature;
                self.linear.bias /= temperature;
            }
        }
    }

    /// The probabilities `[rows, classes]` before the scores were divided.
    pub(crate) fn uncooled(&self, columns: &Array2<f32>) -> Array2<f64> {
        self.linear
            .finished(self.scores(columns) * self.temperature)
    }

    fn scores(&self, columns: &Array2<f32>) -> Array2<f64> {
        match &self.trees {
            None => self.linear.scores(&self.encoder.encode(columns)),
            Some(trees) => trees.scores(&self.encoder.raw(columns)),
        }
    }

    /// The model's own outputs for rows of the graph's input: probabilities
    /// `[rows, classes]`, or predictions `[rows, 1]`.
    pub(crate) fn predict(&self, columns: &Array2<f32>) -> Array2<f64> {
        self.linear.finished(self.scores(columns))
    }
}
