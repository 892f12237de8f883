//! What the training rows look like: for the report, and for monitoring what is
//! served later.

use anyhow::{Context, Result};
use fit::moments;
use model::{Column, ColumnKind, Table};
use monitor::{Kind, Measure, Reference};
use ndarray::{Array2, ArrayView1, Axis, Slice};

use crate::local::sorted;

/// What one column of the training data looked like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnReference {
    /// Rows in the training data.
    pub(crate) rows: usize,
    /// Rows without a value.
    pub(crate) missing: usize,
    /// Eleven quantiles of a numeric column, 0 % to 100 % in steps of 10 %.
    pub(crate) deciles: Vec<f64>,
    /// Mean and standard deviation of a numeric column.
    pub(crate) moments: Option<[f64; 2]>,
    /// Rows of each category, in the order of the column's categories.
    pub(crate) counts: Vec<usize>,
}

/// The file by which serve tells outliers and drift of rows of `table`, as they
/// were in the rows at `training` of `columns`.
pub(crate) fn of_rows(table: &Table, columns: &Array2<f32>, training: &[usize]) -> Result<Vec<u8>> {
    let kind = |column: &Column| match &column.kind {
        ColumnKind::Numeric => Kind::Numeric,
        ColumnKind::Categorical { categories } => Kind::Categorical(categories.len()),
    };
    let features = table.columns.iter();
    let features: Vec<_> = features
        .map(|column| (column.name.clone(), kind(column)))
        .collect();
    let rows = columns.select(Axis(0), training);
    file(&features, Measure::Highest, &rows)
}

/// As [`of_rows()`], for embeddings, shape `[examples, dimensions]`. `training` is
/// sorted; the numbers are moved and not copied.
pub(crate) fn of_embeddings(mut vectors: Array2<f32>, training: &[usize]) -> Result<Vec<u8>> {
    for (to, from) in training.iter().enumerate().filter(|(to, from)| to != *from) {
        let (mut before, after) = vectors.view_mut().split_at(Axis(0), *from);
        before.row_mut(to).assign(&after.row(0));
    }
    vectors.slice_axis_inplace(Axis(0), Slice::from(..training.len()));
    let names = 0..vectors.ncols();
    let features: Vec<_> = names.map(|at| (at.to_string(), Kind::Numeric)).collect();
    file(&features, Measure::RootMeanSquare, &vectors)
}

fn file(features: &[(String, Kind)], measure: Measure, rows: &Array2<f32>) -> Result<Vec<u8>> {
    let rows = rows.as_standard_layout();
    let rows = rows.as_slice().unwrap_or_default();
    let reference = Reference::describe(features, measure, rows);
    reference
        .write()
        .context("cannot describe the training rows for monitoring")
}

/// Describes every column of `columns`, the graph's input for all rows, in the
/// rows at `training`.
pub(crate) fn describe(
    table: &Table,
    columns: &Array2<f32>,
    training: &[usize],
) -> Vec<ColumnReference> {
    let rows = columns.select(Axis(0), training);
    table
        .columns
        .iter()
        .zip(rows.columns())
        .map(|(column, values)| describe_column(column, values))
        .collect()
}

fn describe_column(column: &Column, values: ArrayView1<'_, f32>) -> ColumnReference {
    let present = sorted(values);
    let mut reference = ColumnReference {
        rows: values.len(),
        missing: values.len() - present.len(),
        deciles: Vec::new(),
        moments: None,
        counts: Vec::new(),
    };
    match &column.kind {
        ColumnKind::Numeric if present.is_empty() => {}
        ColumnKind::Numeric => {
            let (mean, deviation) = moments(present.iter().copied());
            reference.moments = Some([mean, deviation]);
            reference.deciles = (0..=10)
                .map(|tenth| quantile(&present, f64::from(tenth) / 10.0))
                .collect();
        }
        ColumnKind::Categorical { categories } => {
            reference.counts = counts(&present, categories.len());
        }
    }
    reference
}

/// The value below which the given share of sorted numbers lies, linear between
/// two of them (the default of numpy).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions of rows"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = |position: usize| sorted.get(position).copied();
    let exact = share * sorted.len().saturating_sub(1) as f64;
    let low = at(exact as usize).unwrap_or_default();
    let high = at(exact as usize + 1).unwrap_or(low);
    low + (high - low) * exact.fract()
}

fn counts(codes: &[f64], categories: usize) -> Vec<usize> {
    let mut counts = Vec::with_capacity(categories);
    let mut rest = codes;
    for code in 0_u32.. {
        if counts.len() == categories {
            break;
        }
        let (same, others) = rest.split_at(rest.partition_point(|c| *c <= f64::from(code)));
        counts.push(same.len());
        rest = others;
    }
    counts
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn numbers_and_categories() {
        let column = |name: &str, kind| Column {
            name: name.to_owned(),
            kind,
            missing: true,
        };
        let categories = ["a", "b", "c"].map(str::to_owned).to_vec();
        let table = Table {
            columns: vec![
                column("n", ColumnKind::Numeric),
                column("c", ColumnKind::Categorical { categories }),
                column("none", ColumnKind::Numeric),
            ],
        };
        let gap = f32::NAN;
        let rows = array![
            [1.0, 2.0, gap],
            [3.0, 0.0, gap],
            [gap, 2.0, gap],
            [99.0, 1.0, 1.0]
        ];
        let [n, c, none] = &describe(&table, &rows, &[0, 1, 2])[..] else {
            panic!()
        };
        assert_eq!((n.rows, n.missing, n.moments), (3, 1, Some([2.0, 1.0])));
        assert_eq!((n.deciles[0], n.deciles[5], n.deciles[10]), (1.0, 2.0, 3.0));
        assert_eq!(c.counts, [1, 0, 2]);
        assert_eq!(
            (none.missing, none.moments, none.deciles.len()),
            (3, None, 0)
        );
    }
}
