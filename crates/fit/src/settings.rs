//! How a model is fitted.

use serde::{Deserialize, Serialize};

/// How a model is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hyperparameters {
    /// The strength of the L2 penalty, against a loss that is summed over the
    /// rows (the inverse of scikit-learn's `C`, and its `alpha` of a ridge).
    pub l2: f64,
    /// What a row counts.
    pub class_weights: ClassWeights,
    /// The most iterations of the solver; a regression needs none.
    pub max_iterations: u64,
    /// The norm of the mean loss's gradient at which the solver stops.
    pub tolerance: f64,
}

/// What a row counts in a classification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// Every row counts the same.
    None,
    /// Every class counts the same, however few rows it has.
    Balanced,
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Self {
            l2: 1.0,
            class_weights: ClassWeights::None,
            max_iterations: 1000,
            tolerance: 1e-6,
        }
    }
}
