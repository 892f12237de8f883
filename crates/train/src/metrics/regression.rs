//! Figures of a regression.

use serde::Serialize;

use super::mean;

/// Figures of a regression on the held-out rows, in the target's units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Regression {
    /// The root of the mean squared error.
    pub(crate) rmse: f64,
    /// The RMSE of always answering the training part's mean.
    pub(crate) baseline_rmse: f64,
    /// The mean absolute error.
    pub(crate) mae: f64,
    /// The share of the variance that the model explains; null where the
    /// held-out rows have none.
    pub(crate) r2: Option<f64>,
}

impl Regression {
    /// Measures `predicted` against the right numbers; `training` has the
    /// training part's.
    pub(crate) fn measure(predicted: &[f64], right: &[f64], training: &[f64]) -> Self {
        let errors: Vec<f64> = predicted.iter().zip(right).map(|(p, r)| p - r).collect();
        let squares = |values: &[f64]| mean(&values.iter().map(|v| v * v).collect::<Vec<_>>());
        let around = |centre: f64| squares(&right.iter().map(|r| r - centre).collect::<Vec<_>>());
        let variance = around(mean(right));
        Self {
            rmse: squares(&errors).sqrt(),
            baseline_rmse: around(mean(training)).sqrt(),
            mae: mean(&errors.iter().map(|e| e.abs()).collect::<Vec<_>>()),
            r2: (variance > 0.0).then(|| 1.0 - squares(&errors) / variance),
        }
    }

    /// What to do about a model that is of no use, in one sentence.
    pub(crate) fn advice(&self) -> Option<String> {
        (self.rmse >= self.baseline_rmse).then(|| {
            "the model is no better than always answering the mean: the columns may say little about the target"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        let m = Regression::measure(&[1.0, 2.0, 4.0], &[1.0, 3.0, 5.0], &[0.0, 2.0]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(m.mae, 2.0 / 3.0);
        close(m.rmse, (2.0_f64 / 3.0).sqrt());
        close(m.r2.unwrap(), 0.75);
        close(m.baseline_rmse, (20.0_f64 / 3.0).sqrt());
        assert_eq!(Regression::measure(&[1.0], &[2.0], &[2.0]).r2, None);
    }
}
