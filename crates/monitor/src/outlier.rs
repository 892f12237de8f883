//! How far a row lies from the training rows.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::reference::{Feature, Measure, Reference, Values, number};

/// Gives rows their outlier score.
///
/// Every value has a surprise in standard deviations: of a number, its distance
/// from the mean of the training rows in their standard deviations; of a category,
/// and of a value that is missing, the distance at which a normal distribution has
/// the category's share of the training rows in its two tails. The score is made
/// of these as [`Measure`] says.
#[derive(Debug, Clone)]
pub struct Scorer {
    measure: Measure,
    features: Vec<Surprise>,
}

/// The surprise of each value of a feature.
#[derive(Debug, Clone)]
struct Surprise {
    missing: f32,
    values: SurpriseOf,
}

#[derive(Debug, Clone)]
enum SurpriseOf {
    Number {
        mean: f32,
        per_unit: f32,
        most: f32,
    },
    /// Of each category.
    Category {
        known: Vec<f32>,
        unknown: f32,
    },
}

impl Scorer {
    /// A scorer for rows of these features.
    #[must_use]
    pub fn new(reference: &Reference) -> Self {
        let rows = reference.rows;
        Self {
            measure: reference.measure,
            features: reference
                .features
                .iter()
                .map(|feature| Surprise::of(feature, rows))
                .collect(),
        }
    }

    /// The score of one row: at least 0, and higher the odder the row is.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f32 {
        let surprises = self.features.iter().zip(row);
        let surprises = surprises.map(|(feature, value)| feature.at(*value));
        match self.measure {
            Measure::Highest => surprises.fold(0.0, f32::max),
            Measure::RootMeanSquare => {
                let squares: f32 = surprises.map(|surprise| surprise * surprise).sum();
                (squares / count(self.features.len())).sqrt()
            }
        }
    }

    /// The feature with the highest surprise in a row, by its position.
    #[must_use]
    pub fn oddest(&self, row: &[f32]) -> Option<usize> {
        let surprises = self.features.iter().zip(row).enumerate();
        surprises
            .map(|(at, (feature, value))| (at, feature.at(*value)))
            .max_by(|one, other| one.1.total_cmp(&other.1))
            .map(|(at, _)| at)
    }
}

impl Surprise {
    fn of(feature: &Feature, rows: usize) -> Self {
        let values = match &feature.values {
            Values::Numeric {
                moments: [mean, deviation],
                ..
            } => SurpriseOf::Number {
                mean: single(*mean),
                // Infinite for a constant, from which any other value is as far as
                // the number of rows can tell.
                per_unit: single(1.0 / deviation),
                most: match *deviation > 0.0 {
                    true => f32::MAX,
                    false => tail(0, rows),
                },
            },
            Values::Categorical { counts } => SurpriseOf::Category {
                known: counts
                    .iter()
                    .map(|count| tail(usize::try_from(*count).unwrap_or(rows), rows))
                    .collect(),
                unknown: tail(0, rows),
            },
        };
        Self {
            missing: tail(feature.missing, rows),
            values,
        }
    }

    fn at(&self, value: f32) -> f32 {
        match &self.values {
            _ if value.is_nan() => self.missing,
            SurpriseOf::Number {
                mean,
                per_unit,
                most,
            } => match (value - mean).abs() {
                0.0 => 0.0,
                distance => (distance * per_unit).min(*most),
            },
            SurpriseOf::Category { known, unknown } => {
                let position = crate::reference::position(value);
                known.get(position).copied().unwrap_or(*unknown)
            }
        }
    }
}

/// The distance from the mean, in standard deviations, that a normal distribution
/// exceeds with the probability of what `count` of `rows` rows have. Half a row
/// more than there are stands for what was not seen by chance.
fn tail(count: usize, rows: usize) -> f32 {
    let share = (number(count) + 0.5) / (number(rows) + 1.0);
    let upper = 1.0 - share.min(1.0) / 2.0;
    single(Normal::standard().inverse_cdf(upper))
}

#[expect(clippy::cast_possible_truncation, reason = "scores are single")]
fn single(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_precision_loss, reason = "no row has 2^24 features")]
fn count(features: usize) -> f32 {
    features.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn reference(measure: Measure) -> Reference {
        let features = [
            ("size".to_owned(), Kind::Numeric),
            ("colour".to_owned(), Kind::Categorical(2)),
            ("constant".to_owned(), Kind::Numeric),
        ];
        let mut rows = Vec::new();
        for step in 0..99_u8 {
            let value = f32::from(step % 3) - 1.0;
            let colour = if step == 50 { 1.0 } else { 0.0 };
            rows.extend([value, colour, 7.0]);
        }
        Reference::describe(&features, measure, &rows)
    }

    #[test]
    fn numbers_count_in_standard_deviations() {
        let scorer = Scorer::new(&reference(Measure::Highest));
        let deviation = (2.0_f32 / 3.0).sqrt();
        let score = scorer.score(&[4.0, 0.0, 7.0]);
        assert!((score - 4.0 / deviation).abs() < 1e-5, "{score}");
        assert_eq!(scorer.oddest(&[4.0, 0.0, 7.0]), Some(0));
        assert!(scorer.score(&[0.0, 0.0, 7.0]) < 0.05, "as most rows");
    }

    #[test]
    fn what_is_rare_counts_as_far() {
        let scorer = Scorer::new(&reference(Measure::Highest));
        // 1.5 of 100 in the two tails: scipy.stats.norm.isf(0.0075).
        let rare = scorer.score(&[0.0, 1.0, 7.0]);
        assert!((rare - 2.432_379).abs() < 1e-4, "{rare}");
        // 0.5 of 100: scipy.stats.norm.isf(0.0025).
        for unseen in [[f32::NAN, 0.0, 7.0], [0.0, 2.0, 7.0], [0.0, 0.0, 8.0]] {
            let score = scorer.score(&unseen);
            assert!((score - 2.807_034).abs() < 1e-4, "{unseen:?}: {score}");
        }
        assert_eq!(scorer.oddest(&[0.0, 0.0, 8.0]), Some(2));
    }

    #[test]
    fn an_embedding_counts_as_a_whole() {
        let kinds: Vec<_> = (0..4).map(|at| (at.to_string(), Kind::Numeric)).collect();
        let rows: Vec<f32> = (0..40)
            .map(|at| if at % 8 < 4 { 1.0 } else { -1.0 })
            .collect();
        let reference = Reference::describe(&kinds, Measure::RootMeanSquare, &rows);
        let scorer = Scorer::new(&reference);
        assert!((scorer.score(&[2.0, -2.0, 2.0, 2.0]) - 2.0).abs() < 1e-6);
        assert!((scorer.score(&[4.0, 0.0, 0.0, 0.0]) - 2.0).abs() < 1e-6);
        assert!((reference.threshold - 1.0).abs() < 1e-6);
    }
}
