//! Labels that a model doubts which has not seen them.

use ndarray::{Array2, ArrayView1};

/// A row whose label may be wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Suspect {
    /// The row's position among those that were looked at.
    pub(crate) row: usize,
    /// The class that the model gives it.
    pub(crate) said: usize,
    /// The probability of that class.
    pub(crate) probability: f64,
    /// The probability of the label.
    pub(crate) own: f64,
}

/// The rows whose labels `codes` are doubted by `probabilities` `[rows, classes]`, of
/// models that have not learned from the row; the most doubted first.
///
/// As in [confident learning]: another class is at least as probable as it is on
/// average for the rows that bear it, and more probable than the label.
///
/// [confident learning]: https://doi.org/10.1613/jair.1.12125
pub(crate) fn suspects(probabilities: &Array2<f64>, codes: &[usize]) -> Vec<Suspect> {
    let usual = usual(probabilities, codes);
    let rows = probabilities.rows().into_iter().zip(codes).enumerate();
    let mut found: Vec<Suspect> = rows
        .filter_map(|(row, (of_row, code))| suspect(row, of_row, *code, &usual))
        .collect();
    let margin = |suspect: &Suspect| suspect.own - suspect.probability;
    found.sort_by(|a, b| margin(a).total_cmp(&margin(b)));
    found
}

/// The mean probability of each class over the rows that bear it.
fn usual(probabilities: &Array2<f64>, codes: &[usize]) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); probabilities.ncols()];
    for (row, code) in probabilities.rows().into_iter().zip(codes) {
        if let (Some((sum, rows)), Some(own)) = (sums.get_mut(*code), row.get(*code)) {
            *sum += own;
            *rows += 1.0;
        }
    }
    let mean = |(sum, rows): &(f64, f64)| if *rows > 0.0 { sum / rows } else { 1.0 };
    sums.iter().map(mean).collect()
}

fn suspect(
    row: usize,
    probabilities: ArrayView1<'_, f64>,
    code: usize,
    usual: &[f64],
) -> Option<Suspect> {
    let own = probabilities.get(code).copied()?;
    let others = probabilities.iter().zip(usual).enumerate();
    let surer = others.filter(|(class, (p, usual))| *class != code && p >= usual && **p > own);
    let (said, (probability, _)) = surer.max_by(|a, b| a.1.0.total_cmp(b.1.0))?;
    Some(Suspect {
        row,
        said,
        probability: *probability,
        own,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_label_is_doubted_where_another_class_is_as_sure_as_usual() {
        let probabilities = array![
            [0.9, 0.1],
            [0.8, 0.2],
            [0.4, 0.6],
            [0.05, 0.95],
            [0.2, 0.8],
            [0.3, 0.7]
        ];
        let found = suspects(&probabilities, &[0, 0, 0, 0, 1, 1]);
        let rows: Vec<(usize, usize)> = found.iter().map(|s| (s.row, s.said)).collect();
        // The third is not as sure of the second class as that usually is (0.75).
        assert_eq!(rows, [(3, 1)]);
        assert_eq!((found[0].own, found[0].probability), (0.05, 0.95));
    }
}
