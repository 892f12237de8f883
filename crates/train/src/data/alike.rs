//! Rows that are equal in all columns that the model takes. A row that was learned
//! from must not be measured with, so equal ones stay on one side of every split.

use std::collections::{BTreeMap, BTreeSet};

use model::ColumnKind;
use ndarray::{Array2, ArrayView1, Axis};

use super::split::{Split, split};
use super::{DataError, Dataset};
use crate::experiment::Experiment;
use crate::run::counted;

/// So many different rows can be parted well, whatever makes some of them equal.
const FEW: usize = 50;

/// Fractions that come in so few values are steps of a scale.
const STEPS: usize = 10;

/// For each row, the position of the first one that equals it; its own where there is
/// none.
fn groups(columns: &Array2<f32>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..columns.nrows()).collect();
    let key = |row: usize| columns.row(row).into_iter().map(|value| bits(*value));
    order.sort_by(|a, b| key(*a).cmp(key(*b)).then(a.cmp(b)));
    let mut groups = vec![0; order.len()];
    let mut first: Option<usize> = None;
    for row in order {
        let group = first
            .filter(|first| key(*first).eq(key(row)))
            .unwrap_or(row);
        first = Some(group);
        if let Some(place) = groups.get_mut(row) {
            *place = group;
        }
    }
    groups
}

/// Equal for numbers that are equal, and for gaps.
fn bits(value: f32) -> u32 {
    match value.is_nan() {
        true => f32::NAN.to_bits(),
        false => (value + 0.0).to_bits(),
    }
}

/// The rows of each group.
pub(super) fn members(groups: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(row);
    }
    members
}

/// The groups of two or more.
pub(crate) fn twins(groups: &[usize]) -> Vec<Vec<usize>> {
    let all = members(groups).into_values();
    all.filter(|of| of.len() > 1).collect()
}

/// Chooses the rows that are held out, and sets which rows of `data` are equal, and which
/// stay together: these, but for those that few values make equal.
///
/// # Errors
///
/// As [`split()`].
pub(crate) fn divide(data: &mut Dataset, experiment: &Experiment) -> Result<Split, DataError> {
    let alone: Vec<usize> = (0..data.rows.len()).collect();
    let apart = |groups: &[usize]| {
        let (share, seed) = (experiment.split, experiment.seed);
        split((&data.target, groups), share, seed, &data.target_name)
    };
    let plain = apart(&alone)?;
    let equal = groups(&data.columns);
    let copies = copies(data, &equal);
    let whole = apart(&copies).ok();
    let fair =
        whole.filter(|whole| is_fair(data, (&plain, whole), &copies, experiment.search.folds));
    let (split, groups) = match fair {
        Some(whole) => (whole, copies),
        None => (plain, alone),
    };
    let parted = equal.iter().zip(&groups).enumerate();
    let parted = parted.filter(|(row, (equal, group))| equal != group && row != *equal);
    let parted = parted.count();
    if parted > 0 {
        data.warnings.push(format!(
            "{} equal others as there are few values that they could have, and do not stay on one \
             side of the split with them: such rows are learned from, and measured with as well",
            counted(parted, "row")
        ));
    }
    data.equal = equal;
    data.groups = groups;
    Ok(split)
}

/// The groups of `equal` rows, without those that are equal as there is little that
/// they could be: each row of these is alone.
fn copies(data: &Dataset, equal: &[usize]) -> Vec<usize> {
    let columns = data.table.columns.iter().zip(data.columns.columns());
    let fine: Vec<bool> = columns
        .map(|(column, values)| is_fine(&column.kind, values))
        .collect();
    let coarse = |row: &usize| {
        let mut values = data.columns.row(*row).into_iter().zip(&fine);
        values.all(|(value, fine)| !fine || value.is_nan())
    };
    let rows: Vec<usize> = (0..equal.len()).filter(coarse).collect();
    let different = rows
        .iter()
        .filter(|row| equal.get(**row) == Some(row))
        .count();
    let values = data.columns.select(Axis(0), &rows);
    let possible = values
        .columns()
        .into_iter()
        .map(|column| distinct(column) as f64);
    let possible = possible.fold(1.0_f64, |product, values| product * values);
    let mut groups = equal.to_vec();
    if different < FEW && possible <= 2.0 * different as f64 {
        for row in rows {
            if let Some(group) = groups.get_mut(row) {
                *group = row;
            }
        }
    }
    groups
}

/// Whether a column holds numbers that two rows hardly share by chance.
fn is_fine(kind: &ColumnKind, values: ArrayView1<'_, f32>) -> bool {
    let mut present = values.iter().filter(|value| !value.is_nan());
    *kind == ColumnKind::Numeric
        && present.any(|value| value.fract() != 0.0)
        && distinct(values) > STEPS
}

/// How many values there are, a gap being one.
fn distinct(values: ArrayView1<'_, f32>) -> usize {
    let values = values.iter().map(|value| bits(*value));
    values.collect::<BTreeSet<_>>().len()
}

/// Whether a split with equal rows together holds out about as many rows as the `plain`
/// one, of the same classes where these have several different rows, and leaves enough
/// for a cross-validation.
fn is_fair(
    data: &Dataset,
    (plain, whole): (&Split, &Split),
    groups: &[usize],
    folds: usize,
) -> bool {
    let (wanted, held) = (plain.held_out.len(), whole.held_out.len());
    let class = |row: &usize| data.target.code(*row);
    let measured = |split: &Split| split.held_out.iter().map(class).collect::<BTreeSet<_>>();
    let mut lost = measured(plain);
    let kept = measured(whole);
    lost.retain(|class| !kept.contains(class) && !whole.seen_once.contains(class));
    let left: BTreeSet<_> = whole.training.iter().map(|row| groups.get(*row)).collect();
    held * 2 >= wanted && held <= wanted + wanted / 2 + 1 && lost.is_empty() && left.len() >= folds
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn equal_rows_have_the_first_of_them_in_common() {
        let nan = f32::NAN;
        let rows = array![[1.0, nan], [0.0, 2.0], [1.0, nan], [-0.0, 2.0], [1.0, 2.0]];
        let found = groups(&rows);
        assert_eq!(found, [0, 1, 0, 1, 4]);
        assert_eq!(twins(&found), [vec![0, 2], vec![1, 3]]);
    }
}
