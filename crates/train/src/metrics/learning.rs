//! How the model gets better with more to learn from.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;

use super::{Figures, Interval};

/// The shares of the training rows that are tried beside all of them.
const SHARES: [f64; 3] = [0.125, 0.25, 0.5];

/// Fewer rows tell nothing.
const FEWEST: usize = 8;

/// The figure of models that have learned from a part, on all held-out rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LearningCurve {
    /// Which figure: `accuracy`, or `rmse` of a regression.
    pub(crate) figure: &'static str,
    /// By the number of rows; the last is the published model.
    pub(crate) points: Vec<LearningPoint>,
}

/// A model that has learned from a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LearningPoint {
    /// How many rows it has learned from.
    pub(crate) training_rows: usize,
    /// Its figure.
    pub(crate) value: f64,
    /// The ends of the 95 % confidence interval of an accuracy; null for an RMSE.
    pub(crate) interval: Option<Interval>,
}

impl LearningPoint {
    /// The point of a model that has learned from `training_rows`.
    pub(crate) fn new(training_rows: usize, figures: &Figures) -> Self {
        let (value, interval) = match figures {
            Figures::Classification(c) => (c.accuracy, c.accuracy_interval),
            Figures::Regression(r) => (r.rmse, None),
        };
        Self {
            training_rows,
            value,
            interval,
        }
    }
}

impl LearningCurve {
    /// The curve with the points of the `parts`, and `whole` as its last.
    pub(crate) fn new(parts: Vec<LearningPoint>, training_rows: usize, whole: &Figures) -> Self {
        let mut points = parts;
        points.push(LearningPoint::new(training_rows, whole));
        Self {
            figure: match whole {
                Figures::Classification(_) => "accuracy",
                Figures::Regression(_) => "rmse",
            },
            points,
        }
    }
}

/// Positions of the parts of `codes` that a curve is measured at, from the smallest
/// on: each lies in the next, holds its share of every class, and is in order. Parts
/// that lack a class are left out.
#[expect(clippy::cast_precision_loss, reason = "numbers of rows")]
pub(crate) fn parts(codes: &[usize], seed: u64) -> Vec<Vec<usize>> {
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, code) in codes.iter().enumerate() {
        classes.entry(*code).or_default().push(position);
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    for of_class in classes.values_mut() {
        of_class.shuffle(&mut random);
    }
    let part = |share: f64| -> Option<Vec<usize>> {
        let mut part = Vec::new();
        for of_class in classes.values() {
            let count = (of_class.len() as f64 * share).round() as usize;
            part.extend(
                of_class
                    .get(..count.min(of_class.len()))
                    .filter(|p| !p.is_empty())?,
            );
        }
        part.sort_unstable();
        (part.len() >= FEWEST).then_some(part)
    };
    SHARES.into_iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_nested_and_hold_every_class() {
        let codes: Vec<usize> = (0..80).map(|i| usize::from(i % 8 == 0)).collect();
        let parts = parts(&codes, 1);
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        assert_eq!(sizes, [10, 21, 40]);
        for pair in parts.windows(2) {
            assert!(pair[0].iter().all(|position| pair[1].contains(position)));
        }
        for part in &parts {
            assert!(part.iter().any(|p| codes[*p] == 1));
        }
        assert!(super::parts(&[0, 0, 0, 1, 1, 1], 0).is_empty());
    }
}
