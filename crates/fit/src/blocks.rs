//! Rows of features, some at a time, as a solver takes them.

use ndarray::{Array1, Array2};

/// The rows of `vectors`, `[all, width]`, at `rows`, with more digits: `[rows, width]`.
/// Every row must be there.
#[must_use]
pub fn widened(vectors: &Array2<f32>, rows: &[usize]) -> Array2<f64> {
    let mut block = Array2::zeros((rows.len(), vectors.ncols()));
    for (mut place, row) in block.outer_iter_mut().zip(rows) {
        for (to, from) in place.iter_mut().zip(vectors.row(*row)) {
            *to = f64::from(*from);
        }
    }
    block
}

/// `block`, `[rows, width]`, less the `mean` of each of its numbers and divided by their
/// `deviation`.
#[must_use]
pub fn standardised(
    block: Array2<f64>,
    mean: &Array1<f64>,
    deviation: &Array1<f64>,
) -> Array2<f64> {
    (block - mean) / deviation
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn rows_come_as_they_are_asked_for() {
        let vectors = array![[1.0_f32, 0.1], [2.0, 0.2], [3.0, 0.3]];
        let block = widened(&vectors, &[2, 0, 2]);
        let tenths = |value: f32| f64::from(value);
        let wanted = array![[3.0, tenths(0.3)], [1.0, tenths(0.1)], [3.0, tenths(0.3)]];
        assert_eq!(block, wanted);
        assert_eq!(widened(&vectors, &[]).dim(), (0, 2));
        let same = standardised(wanted, &array![1.0, 0.0], &array![2.0, 1.0]);
        assert_eq!(same.column(0), array![1.0, 0.0, 1.0]);
    }
}
