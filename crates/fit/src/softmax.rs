//! Multinomial logistic regression: L2-penalised, weighted, by L-BFGS.
//!
//! The solver is argmin's. The loss is our own for two reasons: the classes can
//! be weighted exactly, and every row's log-sum-exp is taken against that row's
//! own maximum. (linfa-logistic 0.8, which uses the same solver, has no weights,
//! and takes the maximum of the whole matrix: a row whose scores lie 35 below
//! that loses its gradient, as happens with outliers or a small penalty.)

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, ShapeError};

use crate::linear::softmax;
use crate::{ClassWeights, Convergence, FitError, Hyperparameters, Linear};

/// How many steps the solver remembers for its picture of the curvature.
const MEMORY: usize = 10;

/// Near the optimum the line search may end for lack of digits. A gradient up to
/// so many times the tolerance is then as good.
const NEARLY: f64 = 100.0;

/// Features that are whole, or are made block by block whenever they are wanted.
pub trait Features {
    /// How many features a row has.
    fn width(&self) -> usize;

    /// Hands over all rows in order: the number of the first, and a block
    /// `[rows, features]`.
    fn each_block(&self, take: &mut dyn FnMut(usize, ArrayView2<'_, f64>));
}

impl Features for Array2<f64> {
    fn width(&self) -> usize {
        self.ncols()
    }

    fn each_block(&self, take: &mut dyn FnMut(usize, ArrayView2<'_, f64>)) {
        take(0, self.view());
    }
}

/// Fits a model of `classes` classes to features `[rows, features]`. The penalty draws
/// the weights towards 0, or weights and bias towards those of `prior`, which is
/// where the solver starts.
///
/// # Errors
///
/// When the solver finds nothing better than where it starts.
pub fn fit(
    features: &dyn Features,
    codes: &[usize],
    classes: usize,
    settings: &Hyperparameters,
    prior: Option<&Linear>,
) -> Result<(Linear, Convergence), FitError> {
    let best = RefCell::default();
    let weights = row_weights(codes, classes, settings.class_weights);
    let loss = Loss {
        features,
        codes,
        classes,
        penalty: settings.l2 / to_f64(codes.len()),
        weights,
        prior: prior.map(params),
        best: &best,
    };
    let size = (features.width() + 1) * classes;
    let start = loss.prior.clone().unwrap_or_else(|| vec![0.0; size]);
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
        .with_tolerance_grad(settings.tolerance)
        .map_err(|e| FitError::Solver(e.to_string()))?;
    let executor = Executor::new(loss.clone(), solver)
        .configure(|state| state.param(start).max_iters(settings.max_iterations));
    // A line search that fails has still left the best point behind.
    let failure = executor.run().err();
    let Best {
        params,
        evaluations,
        ..
    } = best.take();
    let failed = |error: &dyn std::fmt::Display| FitError::Solver(error.to_string());
    let gradient = loss.gradient_at(&params).map_err(|e| failed(&e))?;
    let gradient = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    if let Some(error) = failure.filter(|_| evaluations < 2 || !gradient.is_finite()) {
        return Err(failed(&error));
    }
    let (weights, bias) = loss.parts(&params).map_err(|e| failed(&e))?;
    let linear = Linear {
        weights: weights.to_owned(),
        bias: bias.to_owned(),
        scale: None,
    };
    let converged = gradient <= settings.tolerance * NEARLY;
    Ok((
        linear,
        Convergence {
            evaluations,
            gradient,
            converged,
        },
    ))
}

/// Weights and bias one after the other.
fn params(linear: &Linear) -> Vec<f64> {
    let all = linear.weights.iter().chain(&linear.bias);
    all.copied().collect()
}

/// What each row counts; the mean over all rows is 1.
pub fn row_weights(codes: &[usize], classes: usize, rule: ClassWeights) -> Array1<f64> {
    if rule == ClassWeights::None {
        return Array1::ones(codes.len());
    }
    let mut counts = vec![0_usize; classes];
    for code in codes {
        if let Some(count) = counts.get_mut(*code) {
            *count += 1;
        }
    }
    let present = counts.iter().filter(|count| **count > 0).count();
    let weight = |code: &usize| {
        let count = counts.get(*code).copied().unwrap_or(1);
        to_f64(codes.len()) / (to_f64(present) * to_f64(count))
    };
    codes.iter().map(weight).collect()
}

/// The mean loss over the rows, as a function of weights and bias, which lie one
/// after the other: `[features + 1, classes]`.
#[derive(Clone)]
struct Loss<'a> {
    features: &'a dyn Features,
    codes: &'a [usize],
    classes: usize,
    penalty: f64,
    weights: Array1<f64>,
    prior: Option<Vec<f64>>,
    best: &'a RefCell<Best>,
}

/// The best point that the solver has come by.
#[derive(Default)]
struct Best {
    cost: Option<f64>,
    params: Vec<f64>,
    evaluations: u64,
}

impl Loss<'_> {
    /// Weights `[features, classes]` and bias `[classes]`.
    fn parts<'p>(
        &self,
        params: &'p [f64],
    ) -> Result<(ArrayView2<'p, f64>, ArrayView1<'p, f64>), ShapeError> {
        let width = self.features.width();
        let (weights, bias) = params
            .split_at_checked(width * self.classes)
            .unwrap_or_default();
        let weights = ArrayView2::from_shape((width, self.classes), weights)?;
        Ok((weights, ArrayView1::from_shape(self.classes, bias)?))
    }

    fn cost_at(&self, params: &[f64]) -> Result<f64, ShapeError> {
        let (weights, bias) = self.parts(params)?;
        let mut loss = 0.0;
        self.features.each_block(&mut |first, block| {
            let scores = block.dot(&weights) + bias;
            for (row, (code, weight)) in scores.rows().into_iter().zip(self.targets(first)) {
                loss += weight * row_loss(row, *code);
            }
        });
        let pulls = self.pulls(params, weights.len());
        let norm: f64 = pulls.map(|pull| pull * pull).sum();
        Ok(loss / to_f64(self.codes.len()) + 0.5 * self.penalty * norm)
    }

    fn gradient_at(&self, params: &[f64]) -> Result<Vec<f64>, ShapeError> {
        let (weights, bias) = self.parts(params)?;
        let mut gradient = Array2::<f64>::zeros(weights.raw_dim());
        let mut of_bias = Array1::<f64>::zeros(self.classes);
        self.features.each_block(&mut |first, block| {
            let mut errors = block.dot(&weights) + bias;
            softmax(&mut errors);
            let rows = errors.rows_mut().into_iter().zip(self.targets(first));
            for (mut row, (code, weight)) in rows {
                if let Some(probability) = row.get_mut(*code) {
                    *probability -= 1.0;
                }
                row *= *weight / to_f64(self.codes.len());
            }
            gradient += &block.t().dot(&errors);
            of_bias += &errors.sum_axis(Axis(0));
        });
        let mut all: Vec<f64> = gradient.iter().copied().chain(of_bias).collect();
        let pulls = self.pulls(params, weights.len());
        for (slope, pull) in all.iter_mut().zip(pulls) {
            *slope += self.penalty * pull;
        }
        Ok(all)
    }

    /// How far each parameter is from where the penalty draws it; the bias, which
    /// comes after so many weights, is drawn by a prior alone.
    fn pulls<'p>(&'p self, params: &'p [f64], weights: usize) -> impl Iterator<Item = f64> + 'p {
        let prior = self.prior.as_deref();
        let drawn = prior.map_or(weights, <[f64]>::len);
        let centre = prior.unwrap_or_default().iter().copied();
        let centre = centre.chain(std::iter::repeat(0.0));
        let params = params.iter().take(drawn);
        params.zip(centre).map(|(param, centre)| param - centre)
    }

    /// Class and weight of each row from `first` on.
    fn targets(&self, first: usize) -> impl Iterator<Item = (&usize, &f64)> {
        self.codes.iter().zip(&self.weights).skip(first)
    }
}

/// The mean log loss of `scores`, `[rows, classes]`, divided by `temperature`, where the
/// classes are `codes`.
#[must_use]
pub fn mean_loss(scores: &Array2<f64>, codes: &[usize], temperature: f64) -> f64 {
    let mut cooled = Array1::zeros(scores.ncols());
    let losses = scores.outer_iter().zip(codes).map(|(row, code)| {
        cooled.assign(&row);
        cooled /= temperature;
        row_loss(cooled.view(), *code)
    });
    losses.sum::<f64>() / to_f64(codes.len().max(1))
}

/// The temperature with the least `loss`, which has one minimum over its logarithm.
pub fn coolest(loss: impl Fn(f64) -> f64) -> f64 {
    // A golden section.
    const SECTION: f64 = 0.618_033_988_749_894_9;
    const STEPS: usize = 40;
    let loss = |log: f64| loss(log.exp());
    let (mut low, mut high) = (-3.0_f64, 4.0_f64);
    for _ in 0..STEPS {
        let (left, right) = (high - SECTION * (high - low), low + SECTION * (high - low));
        if loss(left) < loss(right) {
            high = right;
        } else {
            low = left;
        }
    }
    low.midpoint(high).exp()
}

/// The negative log-likelihood of the class `code` under one row of scores.
pub fn row_loss(scores: ArrayView1<'_, f64>, code: usize) -> f64 {
    let highest = scores.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
    let sum: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
    sum.ln() + highest - scores.get(code).copied().unwrap_or(f64::NAN)
}

impl CostFunction for Loss<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, params: &Vec<f64>) -> Result<f64, Error> {
        let cost = self.cost_at(params)?;
        let mut best = self.best.borrow_mut();
        if cost.is_finite() && best.cost.is_none_or(|lowest| cost < lowest) {
            best.cost = Some(cost);
            best.params.clone_from(params);
        }
        Ok(cost)
    }
}

impl Gradient for Loss<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, params: &Vec<f64>) -> Result<Vec<f64>, Error> {
        self.best.borrow_mut().evaluations += 1;
        Ok(self.gradient_at(params)?)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no table has 2^52 rows")]
fn to_f64(count: usize) -> f64 {
    count as f64
}
