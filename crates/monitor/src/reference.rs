//! The statistics of the training rows, and their file.

use serde::{Deserialize, Serialize};

use crate::outlier::Scorer;

/// Of the training rows, the share whose outlier score lies above the threshold.
const SHARE_ABOVE: f64 = 0.01;

/// The bins of a numeric feature, if enough of its values differ.
const BINS: usize = 10;

/// What the training rows looked like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The number of training rows.
    pub rows: usize,
    /// How the features' surprises become the score of a row.
    pub measure: Measure,
    /// The score that 99 of 100 training rows do not exceed.
    pub threshold: f64,
    /// The features, in the order of a row.
    pub features: Vec<Feature>,
}

/// How the surprises of a row's features become its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The highest: one odd column makes an odd row.
    Highest,
    /// The root of the mean square: for an embedding, whose dimensions say little
    /// one by one.
    RootMeanSquare,
}

/// What one feature looked like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The column's name, or the dimension of the embedding.
    pub name: String,
    /// Training rows without a value.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: usize,
    /// What the others hold.
    pub values: Values,
}

/// What the rows with a value hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Values {
    /// Numbers.
    Numeric {
        /// Their mean and standard deviation (of the population).
        moments: [f64; 2],
        /// The upper bounds of all bins but the last, ascending: the deciles that
        /// differ. A value on a bound belongs to the bin below it.
        bounds: Vec<f32>,
        /// The rows in each bin, one more than bounds.
        counts: Vec<u32>,
    },
    /// Positions of categories.
    Categorical {
        /// The rows of each category.
        counts: Vec<u32>,
    },
}

/// What a feature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers.
    Numeric,
    /// Positions in a list of this many categories.
    Categorical(usize),
}

/// Why a file is no reference.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// It is not JSON of this shape.
    #[error("not a reference: {0}")]
    Json(#[from] serde_json::Error),
    /// Its figures contradict each other.
    #[error("feature {name:?}: {reason}")]
    Feature {
        /// The feature's name.
        name: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// The number of rows is 0, or the threshold is no number.
    #[error("a reference needs rows and a threshold, got {rows} rows and {threshold}")]
    Empty {
        /// The rows.
        rows: usize,
        /// The threshold.
        threshold: f64,
    },
}

impl Reference {
    /// Describes `rows`, of shape `[rows, features]`.
    #[must_use]
    pub fn describe(features: &[(String, Kind)], measure: Measure, rows: &[f32]) -> Self {
        let width = features.len();
        let column = |at: usize| rows.iter().copied().skip(at).step_by(width.max(1));
        let described = features.iter().enumerate();
        let described = described
            .map(|(at, (name, kind))| Feature::describe(name.clone(), *kind, column(at).collect()));
        let mut reference = Self {
            rows: rows.len().checked_div(width).unwrap_or(0),
            measure,
            threshold: 0.0,
            features: described.collect(),
        };
        let scorer = Scorer::new(&reference);
        let mut scores: Vec<f64> = rows
            .chunks_exact(width.max(1))
            .map(|row| f64::from(scorer.score(row)))
            .collect();
        scores.sort_by(f64::total_cmp);
        reference.threshold = quantile(&scores, 1.0 - SHARE_ABOVE);
        reference
    }

    /// Reads what [`Reference::write`] has written.
    ///
    /// # Errors
    ///
    /// When it is not JSON of this shape, or the figures contradict each other.
    pub fn read(json: &[u8]) -> Result<Self, ReferenceError> {
        let reference: Self = serde_json::from_slice(json)?;
        let Self {
            rows, threshold, ..
        } = reference;
        if rows == 0 || !threshold.is_finite() {
            return Err(ReferenceError::Empty { rows, threshold });
        }
        for feature in &reference.features {
            feature.check(rows)?;
        }
        Ok(reference)
    }

    /// The content of the file in a model package, JSON.
    ///
    /// # Errors
    ///
    /// When a figure is no finite number.
    pub fn write(&self) -> Result<Vec<u8>, ReferenceError> {
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }
}

impl Feature {
    fn describe(name: String, kind: Kind, mut values: Vec<f32>) -> Self {
        let rows = values.len();
        values.retain(|value| !value.is_nan());
        values.sort_by(f32::total_cmp);
        let missing = rows - values.len();
        let values = match kind {
            Kind::Numeric => Values::numeric(&values),
            Kind::Categorical(categories) => {
                let mut counts = vec![0; categories];
                for value in values {
                    if let Some(count) = counts.get_mut(position(value)) {
                        *count += 1;
                    }
                }
                Values::Categorical { counts }
            }
        };
        Self {
            name,
            missing,
            values,
        }
    }

    /// The bin of `value`, which is there; one past the last for a category that
    /// the reference does not know.
    pub(crate) fn bin(&self, value: f32) -> usize {
        match &self.values {
            Values::Numeric { bounds, .. } => bounds.partition_point(|bound| *bound < value),
            Values::Categorical { counts } => position(value).min(counts.len()),
        }
    }

    /// The training rows in each bin.
    pub(crate) fn counts(&self) -> &[u32] {
        match &self.values {
            Values::Numeric { counts, .. } | Values::Categorical { counts } => counts,
        }
    }

    fn check(&self, rows: usize) -> Result<(), ReferenceError> {
        let refuse = |reason| {
            let name = self.name.clone();
            Err(ReferenceError::Feature { name, reason })
        };
        let counted: u64 = self.counts().iter().map(|count| u64::from(*count)).sum();
        let missing = u64::try_from(self.missing).unwrap_or(u64::MAX);
        if u64::try_from(rows) != Ok(counted.saturating_add(missing)) {
            return refuse("its counts do not add up to the rows");
        }
        match &self.values {
            Values::Numeric { bounds, counts, .. } if counts.len() != bounds.len() + 1 => {
                refuse("it has not one bin more than bounds")
            }
            Values::Numeric { bounds, .. } if !bounds.is_sorted_by(|low, high| low < high) => {
                refuse("its bounds do not ascend")
            }
            Values::Numeric { moments, .. } if moments.iter().any(|m| !m.is_finite()) => {
                refuse("its moments are no numbers")
            }
            _ => Ok(()),
        }
    }
}

impl Values {
    /// Describes numbers in ascending order.
    fn numeric(sorted: &[f32]) -> Self {
        let as_double: Vec<f64> = sorted.iter().map(|value| f64::from(*value)).collect();
        let count = number(sorted.len().max(1));
        let mean = as_double.iter().sum::<f64>() / count;
        let variance = as_double.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let mut bounds: Vec<f32> = (1..BINS)
            .filter_map(|tenth| sorted.get(tenth * sorted.len() / BINS))
            .copied()
            .collect();
        bounds.dedup();
        // Nothing lies above the highest value: no bin for it.
        if bounds.last() == sorted.last() {
            bounds.pop();
        }
        let mut rest = sorted;
        let mut counts = Vec::with_capacity(bounds.len() + 1);
        for bound in &bounds {
            let (below, above) = rest.split_at(rest.partition_point(|value| value <= bound));
            counts.push(length(below));
            rest = above;
        }
        counts.push(length(rest));
        Self::Numeric {
            moments: [mean, variance.sqrt()],
            bounds,
            counts,
        }
    }
}

/// The category that a value stands for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates, and NaN becomes 0"
)]
pub(crate) fn position(value: f32) -> usize {
    value as usize
}

#[expect(clippy::cast_precision_loss, reason = "no table has 2^52 rows")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

fn length<T>(values: &[T]) -> u32 {
    u32::try_from(values.len()).unwrap_or(u32::MAX)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde wants")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The smallest of `sorted` that at least `share` of them do not exceed; 0 where
/// there are none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position within the rows"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = (share * number(sorted.len())).ceil() as usize;
    sorted
        .get(position.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}
