//! The linear model that both fits give.

use ndarray::{Array1, Array2};

/// Scores `features · weights + bias`, and what is made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// `[features, outputs]`.
    pub weights: Array2<f64>,
    /// `[outputs]`.
    pub bias: Array1<f64>,
    /// Where the scores are numbers in units of the target's deviation, how they
    /// become the target's; where they are classes', none.
    pub scale: Option<Scale>,
}

/// A target's mean and standard deviation in the training rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The mean.
    pub mean: f32,
    /// The standard deviation.
    pub deviation: f32,
}

/// How a solver ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convergence {
    /// How often it computed the gradient.
    pub evaluations: u64,
    /// The norm of the mean loss's gradient where it ended.
    pub gradient: f64,
    /// Whether that is as small as was asked for.
    pub converged: bool,
}

/// Why no model can be fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The equations have no single solution.
    #[error(
        "no column varies in the training rows, and without a penalty the model has no single \
         solution; set hyperparameters.l2 above 0, as it is by default"
    )]
    Singular,
    /// The target does not vary in the training rows.
    #[error("the target has the same value in all training rows; give more rows, or another seed")]
    ConstantTarget,
    /// The solver gave up where it began.
    #[error(
        "the fit failed: {0}; set hyperparameters.l2 higher, or leave out columns with extreme values"
    )]
    Solver(String),
}

impl Linear {
    /// Scores `[rows, outputs]` of features `[rows, features]`.
    pub fn scores(&self, features: &Array2<f64>) -> Array2<f64> {
        features.dot(&self.weights) + &self.bias
    }

    /// Probabilities `[rows, classes]`, or predictions `[rows, 1]`.
    pub fn outputs(&self, features: &Array2<f64>) -> Array2<f64> {
        self.finished(self.scores(features))
    }

    /// What becomes of scores, of this model or of another of the same target.
    pub fn finished(&self, mut scores: Array2<f64>) -> Array2<f64> {
        match self.scale {
            Some(Scale { mean, deviation }) => scores * f64::from(deviation) + f64::from(mean),
            None => {
                softmax(&mut scores);
                scores
            }
        }
    }
}

/// Turns every row of scores into probabilities.
pub fn softmax(scores: &mut Array2<f64>) {
    for mut row in scores.rows_mut() {
        let highest = row.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        row.mapv_inplace(|score| (score - highest).exp());
        let sum = row.sum();
        row /= sum;
    }
}
