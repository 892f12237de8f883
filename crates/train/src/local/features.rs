//! From the graph's input to features: imputation, scaling, one-hot encoding.
//!
//! The statistics come from the training rows alone. They are rounded to 32 bits
//! here, before the fit, so that the fit sees the features that the graph makes.

use fit::moments;
use model::{ColumnKind, Table};
use ndarray::Array2;

/// Scaled numbers are kept within this many standard deviations of the mean.
/// Farther ones, which no real row has, would overflow in 32 bits and give NaN.
pub(crate) const FARTHEST: f32 = 1e6;

/// How features are made of the graph's input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Encoder {
    /// One feature of each numeric column.
    pub(crate) numeric: Vec<Numeric>,
    /// One feature of each category of each categorical column.
    pub(crate) one_hot: Vec<OneHot>,
    /// One feature of each column, by its position, in which values may be missing.
    pub(crate) missing: Vec<usize>,
}

/// A numeric column: missing values become the median, then mean 0, deviation 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Numeric {
    /// The column's position in the graph's input.
    pub(crate) column: usize,
    /// Of the present values.
    pub(crate) median: f32,
    /// Of the values after imputation.
    pub(crate) mean: f32,
    /// The standard deviation after imputation; 1 where that is 0.
    pub(crate) scale: f32,
}

/// 1 where a categorical column has this category, else 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OneHot {
    /// The column's position in the graph's input.
    pub(crate) column: usize,
    /// The category's code.
    pub(crate) code: f32,
}

/// A feature, for people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Feature {
    /// The position of the column that it is made of.
    pub(crate) column: usize,
    /// Which part of the column it is.
    pub(crate) part: Part,
}

/// Which part of a column a feature is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The scaled number.
    Number,
    /// Whether the column has this category.
    Category(String),
    /// Whether the value is missing.
    Missing,
}

impl Encoder {
    /// Learns the statistics of `columns`, the graph's input for the training rows.
    pub(crate) fn fit(table: &Table, columns: &Array2<f32>) -> Self {
        let mut encoder = Self {
            numeric: Vec::new(),
            one_hot: Vec::new(),
            missing: Vec::new(),
        };
        for (position, column) in table.columns.iter().enumerate() {
            match &column.kind {
                ColumnKind::Numeric => {
                    let values = columns.column(position).to_vec();
                    encoder.numeric.push(Numeric::fit(position, values));
                }
                ColumnKind::Categorical { categories } => {
                    let codes = (0..categories.len()).map(code);
                    encoder.one_hot.extend(codes.map(|code| OneHot {
                        column: position,
                        code,
                    }));
                }
            }
            if column.missing {
                encoder.missing.push(position);
            }
        }
        encoder
    }

    /// How many features there are.
    pub(crate) fn len(&self) -> usize {
        self.numeric.len() + self.one_hot.len() + self.missing.len()
    }

    /// The features `[rows, features]` of the graph's input `[rows, columns]`.
    pub(crate) fn encode(&self, columns: &Array2<f32>) -> Array2<f64> {
        self.rows(columns, Numeric::encode)
    }

    /// As [`Self::encode`], with numbers that are not scaled: what trees compare is
    /// then to the last digit what the graph has.
    pub(crate) fn raw(&self, columns: &Array2<f32>) -> Array2<f32> {
        self.rows(columns, Numeric::present)
    }

    /// The features of each row, its numbers as `number` gives them.
    fn rows<T>(&self, columns: &Array2<f32>, number: impl Fn(&Numeric, f32) -> T) -> Array2<T>
    where
        T: Default + From<u8>,
    {
        let flag = |set: bool| T::from(u8::from(set));
        let mut features = Array2::default((columns.nrows(), self.len()));
        for (input, mut output) in columns.rows().into_iter().zip(features.rows_mut()) {
            let value = |column: usize| input.get(column).copied().unwrap_or(f32::NAN);
            let numeric = self.numeric.iter().map(|n| number(n, value(n.column)));
            let one_hot = self.one_hot.iter().map(|o| flag(value(o.column) == o.code));
            let missing = self
                .missing
                .iter()
                .map(|column| flag(value(*column).is_nan()));
            let all = numeric.chain(one_hot).chain(missing);
            output
                .iter_mut()
                .zip(all)
                .for_each(|(out, feature)| *out = feature);
        }
        features
    }

    /// The features in order.
    pub(crate) fn features(&self, table: &Table) -> Vec<Feature> {
        let numeric = self.numeric.iter().map(|n| Feature {
            column: n.column,
            part: Part::Number,
        });
        let one_hot = table.columns.iter().enumerate().flat_map(|(column, c)| {
            let categories = match &c.kind {
                ColumnKind::Categorical { categories } => categories.as_slice(),
                ColumnKind::Numeric => &[],
            };
            categories.iter().map(move |category| Feature {
                column,
                part: Part::Category(category.clone()),
            })
        });
        let missing = self.missing.iter().map(|column| Feature {
            column: *column,
            part: Part::Missing,
        });
        numeric.chain(one_hot).chain(missing).collect()
    }
}

impl Numeric {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the graph holds 32-bit numbers"
    )]
    fn fit(column: usize, mut values: Vec<f32>) -> Self {
        let present = sorted(&values);
        let median = median(&present) as f32;
        values
            .iter_mut()
            .filter(|value| value.is_nan())
            .for_each(|value| *value = median);
        let (mean, deviation) = moments(values.iter().map(|value| f64::from(*value)));
        let scale = deviation as f32;
        // A deviation of rounding errors alone is no deviation.
        let constant = deviation <= mean.abs() * 1e-9 || !scale.is_normal();
        Self {
            column,
            median,
            mean: mean as f32,
            scale: if constant { 1.0 } else { scale },
        }
    }

    fn present(&self, value: f32) -> f32 {
        if value.is_nan() { self.median } else { value }
    }

    fn encode(&self, value: f32) -> f64 {
        let value = f64::from(self.present(value));
        let scaled = (value - f64::from(self.mean)) / f64::from(self.scale);
        scaled.clamp(-f64::from(FARTHEST), f64::from(FARTHEST))
    }
}

/// The values that are not missing, from the lowest to the highest.
pub(crate) fn sorted<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<f64> {
    let present = values.into_iter().filter(|value| !value.is_nan());
    let mut sorted: Vec<f64> = present.map(|value| f64::from(*value)).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The middle of sorted numbers; 0 where there are none.
fn median(sorted: &[f64]) -> f64 {
    let at = |position: usize| sorted.get(position).copied().unwrap_or_default();
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => at(odd / 2),
        even => f64::midpoint(at(even / 2 - 1), at(even / 2)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no column has 2^24 categories")]
fn code(position: usize) -> f32 {
    position as f32
}

#[cfg(test)]
mod tests {
    use model::Column;
    use ndarray::array;

    use super::*;

    #[test]
    fn numbers_categories_and_gaps() {
        let categories = vec!["a".to_owned(), "b".to_owned()];
        let column = |name: &str, kind, missing| Column {
            name: name.to_owned(),
            kind,
            missing,
        };
        let table = Table {
            columns: vec![
                column("c", ColumnKind::Categorical { categories }, true),
                column("n", ColumnKind::Numeric, true),
            ],
        };
        let rows = array![[0.0, 1.0], [1.0, 3.0], [f32::NAN, f32::NAN]];
        let encoder = Encoder::fit(&table, &rows);
        assert_eq!(encoder.numeric[0].median, 2.0);
        assert_eq!(encoder.features(&table).len(), encoder.len());
        let features = encoder.encode(&rows);
        let step = 1.5_f64.sqrt();
        let expected = array![
            [-step, 1.0, 0.0, 0.0, 0.0],
            [step, 0.0, 1.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0, 1.0]
        ];
        assert!((features - expected).iter().all(|d| d.abs() < 1e-6));
    }

    #[test]
    fn extreme_columns_stay_finite() {
        let encode = |values: Vec<f32>, value| Numeric::fit(0, values).encode(value);
        assert_eq!(encode(vec![5.0; 3], 5.0), 0.0);
        assert_eq!(encode(vec![f32::NAN; 3], f32::NAN), 0.0);
        assert_eq!(encode(vec![1e12; 3], 1e12), 0.0);
        assert_eq!(encode(vec![0.0, 1.0], f32::MAX), f64::from(FARTHEST));
        assert!(encode(vec![f32::MAX, f32::MIN], f32::MAX).is_finite());
        assert!(encode(vec![1e-44, 2e-44], 1e-44).is_finite());
    }
}
