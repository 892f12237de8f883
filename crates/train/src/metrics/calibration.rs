//! Whether a probability means what it says.

use ndarray::Array2;
use serde::Serialize;

use super::interval::{Interval, wilson};
use super::share;

/// Ranges of the highest probability, each a tenth wide.
const BINS: usize = 10;

/// How far the highest probabilities can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Calibration {
    /// What the scores were divided by.
    pub(crate) temperature: f64,
    /// The mean distance between the highest probability and the share of right
    /// answers in a range of it, weighted by rows.
    pub(crate) expected_error: f64,
    /// The same before the division.
    pub(crate) expected_error_before: f64,
    /// The ranges that have rows.
    pub(crate) ranges: Vec<Range>,
}

/// The rows whose highest probability lies in one range.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Range {
    /// Where the range begins; it is a tenth wide.
    pub(crate) from: f64,
    /// How many rows.
    pub(crate) rows: usize,
    /// Their mean highest probability.
    pub(crate) probability: f64,
    /// Their share of right answers.
    pub(crate) accuracy: f64,
    /// The ends of its 95 % confidence interval.
    pub(crate) accuracy_interval: Interval,
}

impl Calibration {
    /// Measures probabilities `[rows, classes]`, before and after the division by
    /// `temperature`, against the right `codes`.
    pub(crate) fn measure(
        temperature: f64,
        before: &Array2<f64>,
        after: &Array2<f64>,
        codes: &[usize],
    ) -> Self {
        let ranges = ranges(after, codes);
        Self {
            temperature,
            expected_error: error(&ranges),
            expected_error_before: error(&self::ranges(before, codes)),
            ranges,
        }
    }
}

fn error(ranges: &[Range]) -> f64 {
    let all: usize = ranges.iter().map(|r| r.rows).sum();
    let distance = |r: &Range| (r.probability - r.accuracy).abs() * r.rows as f64;
    ranges.iter().map(distance).sum::<f64>() / all.max(1) as f64
}

fn ranges(probabilities: &Array2<f64>, codes: &[usize]) -> Vec<Range> {
    let mut sums = [(0_usize, 0.0_f64, 0_usize); BINS];
    for (row, code) in probabilities.rows().into_iter().zip(codes) {
        let best = super::most_probable(row.mapv(|p| p as f32).view());
        let highest = row.get(best).copied().unwrap_or_default();
        let bin = ((highest * BINS as f64) as usize).min(BINS - 1);
        if let Some((rows, sum, right)) = sums.get_mut(bin) {
            *rows += 1;
            *sum += highest;
            *right += usize::from(best == *code);
        }
    }
    let range = |(bin, (rows, sum, right)): (usize, &(usize, f64, usize))| {
        Some(Range {
            from: bin as f64 / BINS as f64,
            rows: *rows,
            probability: sum / *rows as f64,
            accuracy: share(*right, *rows)?,
            accuracy_interval: wilson(*right, *rows)?,
        })
    };
    sums.iter().enumerate().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_distance_is_weighted_by_rows() {
        let sure = array![[0.95, 0.05], [0.95, 0.05], [0.3, 0.7], [0.25, 0.75]];
        let found = Calibration::measure(2.0, &sure, &sure, &[0, 1, 1, 1]);
        assert_eq!(
            found.ranges.iter().map(|r| r.rows).collect::<Vec<_>>(),
            [2, 2]
        );
        // (|0.725 - 1| * 2 + |0.95 - 0.5| * 2) / 4
        assert!((found.expected_error - 0.3625).abs() < 1e-9);
    }
}
