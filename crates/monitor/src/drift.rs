//! Whether the rows of a window still look like the training rows.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::reference::Reference;

/// Counts the rows of a window, feature by feature.
#[derive(Debug, Clone)]
pub struct Window {
    /// Per feature, the rows in each bin, in one for what the reference does not
    /// know, and in one for what is missing.
    counts: Vec<u32>,
    /// Where the bins of each feature start.
    starts: Vec<usize>,
    rows: usize,
}

/// What the test of a window says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Whether a feature has a p-value below `threshold`.
    pub drifted: bool,
    /// The level divided by the number of features (Bonferroni), so that a window
    /// of the training distribution is called drifted with at most that level's
    /// probability, however many features there are.
    pub threshold: f64,
    /// The lowest of the p-values.
    pub p_value: f64,
    /// The rows of the window.
    pub rows: usize,
    /// The features, in the order of a row.
    pub features: Vec<FeatureDrift>,
}

/// What the test says of one feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureDrift {
    /// The feature's name.
    pub name: String,
    /// Pearson's statistic.
    pub statistic: f64,
    /// Its degrees of freedom: the bins that hold any row, less one.
    pub freedom: usize,
    /// The probability of such a statistic, or a higher one, without drift.
    pub p_value: f64,
}

impl Window {
    /// An empty window.
    #[must_use]
    pub fn new(reference: &Reference) -> Self {
        let mut starts = Vec::with_capacity(reference.features.len());
        let mut length = 0;
        for feature in &reference.features {
            starts.push(length);
            length += feature.counts().len() + 2;
        }
        Self {
            counts: vec![0; length],
            starts,
            rows: 0,
        }
    }

    /// Adds a row, of the same reference as the window's.
    pub fn add(&mut self, reference: &Reference, row: &[f32]) {
        self.rows += 1;
        let features = reference.features.iter().zip(&self.starts);
        for ((feature, start), value) in features.zip(row) {
            let bin = match value.is_nan() {
                true => feature.counts().len() + 1,
                false => feature.bin(*value),
            };
            if let Some(count) = self.counts.get_mut(start + bin) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Tests each feature with Pearson's chi-squared test of homogeneity: could the
    /// training rows and those of the window come from one distribution over the
    /// feature's bins? There is drift when one of them could not, at the `level`
    /// after Bonferroni's correction.
    ///
    /// The p-values are approximate, and good from some 5 rows a bin.
    #[must_use]
    pub fn test(&self, reference: &Reference, level: f64) -> Drift {
        let features = reference.features.iter().zip(&self.starts);
        let features: Vec<FeatureDrift> = features
            .map(|(feature, start)| {
                let trained = feature.counts().iter().copied();
                let missing = u32::try_from(feature.missing).unwrap_or(u32::MAX);
                let trained = trained.chain([0, missing]);
                let seen = self.counts.iter().skip(*start).copied();
                let pairs: Vec<_> = trained
                    .zip(seen)
                    .map(|(trained, seen)| [f64::from(trained), f64::from(seen)])
                    .filter(|pair| pair.iter().sum::<f64>() > 0.0)
                    .collect();
                let (statistic, freedom) = chi_squared(&pairs);
                FeatureDrift {
                    name: feature.name.clone(),
                    statistic,
                    freedom,
                    p_value: p_value(statistic, freedom),
                }
            })
            .collect();
        let threshold = level / crate::reference::number(features.len().max(1));
        let lowest = features.iter().map(|feature| feature.p_value);
        let p_value = lowest.fold(1.0, f64::min);
        Drift {
            drifted: p_value < threshold,
            threshold,
            p_value,
            rows: self.rows,
            features,
        }
    }
}

/// Pearson's statistic and its degrees of freedom for a table of two columns, in
/// which no row is empty.
fn chi_squared(pairs: &[[f64; 2]]) -> (f64, usize) {
    let [trained, seen] = pairs
        .iter()
        .fold([0.0, 0.0], |sum, pair| [sum[0] + pair[0], sum[1] + pair[1]]);
    let all = trained + seen;
    if trained == 0.0 || seen == 0.0 {
        return (0.0, 0);
    }
    let term = |count: f64, expected: f64| (count - expected).powi(2) / expected;
    let terms = pairs.iter().map(|[in_training, in_window]| {
        let both = in_training + in_window;
        term(*in_training, both * trained / all) + term(*in_window, both * seen / all)
    });
    (terms.sum(), pairs.len().saturating_sub(1))
}

/// The probability of a statistic at least as high.
fn p_value(statistic: f64, freedom: usize) -> f64 {
    match ChiSquared::new(crate::reference::number(freedom)) {
        Ok(distribution) if freedom > 0 => distribution.sf(statistic),
        _ => 1.0,
    }
}
