//! Ridge regression, solved exactly by Cholesky.
//!
//! The normal equations of centred features with the penalty on their diagonal
//! are positive definite, so there is nothing to iterate and nothing that can
//! fail to converge. (Coordinate descent, as in linfa-elasticnet, stops early on
//! columns that resemble each other, and its stopping rule never holds without
//! an L1 term.)

use linfa_linalg::cholesky::SolveCInplace;
use ndarray::{Array1, Array2, Axis};

use crate::{FitError, Linear, Scale, moments};

/// The least penalty, as a share of the features' mean sum of squares: of columns
/// that determine each other it chooses the smallest weights, and is felt by no
/// others.
const LEAST_PENALTY: f64 = 1e-10;

/// Fits numbers to features `[rows, features]`. The penalty draws the weights towards 0,
/// or towards those of `prior`, whose scale the target then keeps; nothing draws the bias.
///
/// # Errors
///
/// When `target` does not vary, or no feature does and `l2` is 0.
pub fn fit(
    features: &Array2<f64>,
    target: &[f64],
    l2: f64,
    prior: Option<&Linear>,
) -> Result<Linear, FitError> {
    let kept = prior.and_then(|prior| prior.scale);
    let scale = kept.map_or_else(|| target_scale(target), Ok)?;
    let mut scaled: Array1<f64> = target
        .iter()
        .map(|y| (y - f64::from(scale.mean)) / f64::from(scale.deviation))
        .collect();
    if let Some(prior) = prior {
        scaled -= &prior.scores(features).column(0);
    }
    let target_mean = scaled.mean().unwrap_or_default();
    let means = features.mean_axis(Axis(0)).ok_or(FitError::Singular)?;
    let centred = features - &means;
    let mut normal = centred.t().dot(&centred);
    let least = LEAST_PENALTY * normal.diag().mean().unwrap_or_default();
    normal
        .diag_mut()
        .mapv_inplace(|entry| entry + l2.max(least));
    let right = centred
        .t()
        .dot(&(&scaled - target_mean))
        .insert_axis(Axis(1));
    let weights = normal.solvec_into(right).map_err(|_| FitError::Singular)?;
    if weights.iter().any(|weight| !weight.is_finite()) {
        return Err(FitError::Singular);
    }
    let bias = Array1::from_elem(1, target_mean) - means.dot(&weights);
    let (weights, bias) = match prior {
        Some(prior) => (&prior.weights + &weights, &prior.bias + &bias),
        None => (weights, bias),
    };
    Ok(Linear {
        weights,
        bias,
        scale: Some(scale),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the graph holds 32-bit numbers"
)]
fn target_scale(target: &[f64]) -> Result<Scale, FitError> {
    let (mean, deviation) = moments(target.iter().copied());
    let scale = Scale {
        mean: mean as f32,
        deviation: deviation as f32,
    };
    if scale.deviation.is_normal() && scale.mean.is_finite() {
        Ok(scale)
    } else {
        Err(FitError::ConstantTarget)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_line_is_found() {
        let features = array![[0.0], [1.0], [2.0], [3.0]];
        let model = fit(&features, &[1.0, 3.0, 5.0, 7.0], 1e-9, None).unwrap();
        let outputs = model.outputs(&array![[10.0]]);
        assert!((outputs[[0, 0]] - 21.0).abs() < 1e-4, "{outputs}");
    }

    #[test]
    fn collinear_columns_share_the_weight() {
        let features = array![[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]];
        let model = fit(&features, &[0.0, 1.0, 2.0], 0.0, None).unwrap();
        let outputs = model.outputs(&array![[4.0, 4.0]]);
        assert!((outputs[[0, 0]] - 4.0).abs() < 1e-4, "{outputs}");
    }

    #[test]
    fn what_does_not_vary_is_refused() {
        let features = array![[1.0], [2.0]];
        assert!(matches!(
            fit(&features, &[1.0; 2], 1.0, None),
            Err(FitError::ConstantTarget)
        ));
        assert!(matches!(
            fit(&array![[1.0], [1.0]], &[1.0, 2.0], 0.0, None),
            Err(FitError::Singular)
        ));
        assert!(fit(&array![[1.0], [1.0]], &[1.0, 2.0], 1.0, None).is_ok());
    }

    #[test]
    fn a_prior_holds_what_the_rows_do_not_tell() {
        let all = array![[0.0, 0.0], [1.0, 3.0], [2.0, 1.0], [3.0, 2.0]];
        let last = fit(&all, &[0.0, 7.0, 4.0, 7.0], 1e-9, None).unwrap();
        // The second feature does not vary here; the first has another slope.
        let new = array![[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]];
        let model = fit(&new, &[2.0, 5.0, 8.0], 1e-9, Some(&last)).unwrap();
        let outputs = model.outputs(&array![[2.0, 1.0], [2.0, 2.0]]);
        assert!((outputs[[0, 0]] - 8.0).abs() < 1e-4, "{outputs}");
        assert!((outputs[[1, 0]] - 10.0).abs() < 1e-4, "{outputs}");
        assert_eq!(model.scale, last.scale);
    }
}
