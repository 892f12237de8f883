//! Features as the numbers of the intervals that they lie in.

use ndarray::{Array2, ArrayView1};

/// The most borders of a feature.
const MOST: usize = 63;

/// Features `[rows, features]`, binned.
#[derive(Debug)]
pub(super) struct Bins {
    /// How many borders of its feature lie below each value; feature by feature.
    pub(super) codes: Vec<Vec<u8>>,
    /// The borders of each feature, ascending.
    pub(super) borders: Vec<Vec<f32>>,
}

impl Bins {
    /// Puts borders between the values of every feature, so that as many rows lie
    /// between two of them wherever values differ.
    pub(super) fn of(features: &Array2<f32>) -> Self {
        let borders: Vec<Vec<f32>> = features.columns().into_iter().map(borders).collect();
        let code = |value: &f32, borders: &[f32]| {
            u8::try_from(borders.partition_point(|border| border < value)).unwrap_or(u8::MAX)
        };
        let columns = features.columns().into_iter().zip(&borders);
        let codes = columns.map(|(column, borders)| {
            let codes = column.iter().map(|value| code(value, borders));
            codes.collect()
        });
        Self {
            codes: codes.collect(),
            borders,
        }
    }
}

/// Borders between neighbouring values, at most [`MOST`].
fn borders(column: ArrayView1<'_, f32>) -> Vec<f32> {
    let mut sorted = column.to_vec();
    sorted.sort_by(f32::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    if distinct.len() > MOST {
        let rank = |part: usize| sorted.get(part * sorted.len() / (MOST + 1)).copied();
        distinct = (0..=MOST).filter_map(rank).collect();
        distinct.dedup();
    }
    let pairs = distinct.windows(2).filter_map(|pair| match pair {
        [low, high] => Some(between(*low, *high)),
        _ => None,
    });
    pairs.collect()
}

/// A number from `low` to below `high`.
fn between(low: f32, high: f32) -> f32 {
    let middle = low.midpoint(high);
    if middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn every_border_parts_what_it_lies_between() {
        let next = f32::from_bits(1.0_f32.to_bits() + 1);
        for (low, high) in [(1.0, next), (-f32::MAX, f32::MAX), (0.0, 1e-45)] {
            let border = between(low, high);
            assert!(low <= border && border < high, "{low} {border} {high}");
        }
        let many = Array2::from_shape_fn((1000, 2), |(r, c)| if c == 0 { r as f32 } else { 7.0 });
        let bins = Bins::of(&many);
        assert_eq!((bins.borders[0].len(), bins.borders[1].len()), (MOST, 0));
        assert_eq!(bins.codes[0][0], 0);
        assert_eq!(usize::from(bins.codes[0][999]), MOST);
    }
}
