//! A head that compares an example with each that was learned from: kernel ridge
//! regression of the classes, with a Gaussian kernel.
//!
//! On a few thousand texts, and features that are many and correlated, it generalises
//! better than a hidden layer, and nothing about it is random.

use anyhow::{Context, Result, ensure};
use ndarray::{Array1, Array2, Axis, Zip};

use super::layers::Layers;
use super::rows::{Rows, Scaling};
use crate::experiment::{Experiment, HeadKind};

/// What the diagonal of the kernel's matrix, which is 1, is raised by: how little a
/// single label is believed.
const PENALTY: f32 = 0.3;

/// The residual at which the solver ends, as a share of the right side.
const RESIDUAL: f32 = 1e-5;

const MOST_STEPS: usize = 500;

/// The most examples that are learned from: matrix and graph grow with their number.
pub(super) const MOST_EXAMPLES: usize = 6000;

/// Refuses a head that the settings name where it would take too much memory.
pub(super) fn check(experiment: &Experiment, examples: usize) -> Result<()> {
    let named = experiment
        .search
        .heads
        .iter()
        .flatten()
        .any(|head| *head == HeadKind::Kernel);
    ensure!(
        !named || examples <= MOST_EXAMPLES,
        "search.heads names kernel, which keeps every example that it learns from, and {examples} are \
         more than {MOST_EXAMPLES}: take linear or mlp"
    );
    Ok(())
}

/// How much a vector resembles the points: `exp(-rate · |z - point|²)`, where `z` is the
/// vector with each number scaled to mean 0 and deviation 1.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    mean: Array1<f32>,
    scale: Array1<f32>,
    /// `[points, width]`.
    points: Array2<f32>,
    rate: f32,
}

impl Kernel {
    /// The kernel with all `rows` as its points.
    fn of(rows: &Rows<'_>) -> Self {
        let scaling = Scaling::of(rows);
        let points = scaling.whole(rows);
        // A distance as large as two points have on average is a likeness of 1/e.
        let spread = 2.0 * points.mapv(|v| v * v).sum() / points.nrows().max(1) as f32;
        Self {
            mean: scaling.mean.mapv(|m| m as f32),
            scale: scaling.deviation.mapv(|d| (1.0 / d) as f32),
            points,
            rate: 1.0 / spread.max(f32::MIN_POSITIVE),
        }
    }

    /// How much each vector of `[examples, width]` resembles each point.
    pub(super) fn likeness(&self, vectors: &Array2<f64>) -> Array2<f32> {
        let vectors = vectors.mapv(|v| v as f32);
        self.of_scaled(&((vectors - &self.mean) * &self.scale))
    }

    fn of_scaled(&self, scaled: &Array2<f32>) -> Array2<f32> {
        let squares = |of: &Array2<f32>| of.mapv(|v| v * v).sum_axis(Axis(1));
        let (rows, columns) = (squares(scaled), squares(&self.points));
        let mut likeness = scaled.dot(&self.points.t());
        for (mut row, own) in likeness.rows_mut().into_iter().zip(&rows) {
            Zip::from(&mut row).and(&columns).for_each(|value, column| {
                *value = (-self.rate * (own + column - 2.0 * *value).max(0.0)).exp();
            });
        }
        likeness
    }

    /// The same, for the graph.
    pub(super) fn borrowed(&self) -> Result<backbone::Kernel<'_>> {
        let one_piece = "the numbers of the kernel do not lie in one piece";
        Ok(backbone::Kernel {
            mean: self.mean.as_slice().context(one_piece)?,
            scale: self.scale.as_slice().context(one_piece)?,
            points: self.points.as_slice().context(one_piece)?,
            rate: self.rate,
        })
    }
}

/// Fits to `rows` with their classes and what each counts.
pub(super) fn fit(rows: &Rows<'_>, codes: &[usize], classes: usize, weights: &[f64]) -> Layers {
    let kernel = Kernel::of(rows);
    let mut matrix = kernel.of_scaled(&kernel.points);
    for (value, weight) in matrix.diag_mut().iter_mut().zip(weights) {
        *value += PENALTY / (*weight as f32).max(f32::MIN_POSITIVE);
    }
    let mut wanted = Array2::zeros((codes.len(), classes));
    for (mut row, code) in wanted.rows_mut().into_iter().zip(codes) {
        if let Some(own) = row.get_mut(*code) {
            *own = 1.0;
        }
    }
    let weights = solve(&matrix, &wanted).mapv(f64::from);
    Layers {
        kernel: Some(kernel),
        dense: vec![(weights, Array1::zeros(classes))],
    }
}

/// The solution of `matrix · x = right` for a symmetric, positive definite matrix, by
/// conjugate gradients for each column.
fn solve(matrix: &Array2<f32>, right: &Array2<f32>) -> Array2<f32> {
    let squares = |of: &Array2<f32>| of.mapv(|v| v * v).sum_axis(Axis(0));
    let share = |a: &Array1<f32>, b: &Array1<f32>| {
        // A column that is solved has nothing left to divide.
        Zip::from(a)
            .and(b)
            .map_collect(|a, b| if *b > 0.0 { a / b } else { 0.0 })
    };
    let mut found = Array2::zeros(right.raw_dim());
    let mut residual = right.clone();
    let mut direction = right.clone();
    let mut left = squares(&residual);
    let enough = left.mapv(|square| square * RESIDUAL * RESIDUAL);
    for _ in 0..MOST_STEPS {
        if left
            .iter()
            .zip(&enough)
            .all(|(left, enough)| left <= enough)
        {
            break;
        }
        let moved = matrix.dot(&direction);
        let step = share(&left, &(&direction * &moved).sum_axis(Axis(0)));
        found += &(&direction * &step);
        residual -= &(&moved * &step);
        let now = squares(&residual);
        direction = &residual + &(&direction * &share(&now, &left));
        left = now;
    }
    found
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn equations_are_solved() {
        let matrix = array![[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]];
        let expected = array![[1.0, 0.0], [-2.0, 0.0], [0.5, 0.0]];
        let found = solve(&matrix, &matrix.dot(&expected));
        assert!((found - expected).iter().all(|d| d.abs() < 1e-4));
    }

    /// No line tells an exclusive or.
    #[test]
    fn what_no_line_tells_is_learned() {
        let corner = |row: usize, column: usize| if row >> column & 1 == 1 { 5.0 } else { 3.0 };
        let noise = |row: usize| (row * 37 % 11) as f32 / 50.0;
        let vectors = Array2::from_shape_fn((80, 2), |(row, column)| {
            corner(row, column) + noise(row + column)
        });
        let codes: Vec<usize> = (0..80).map(|row| (row & 1) ^ (row >> 1 & 1)).collect();
        let all: Vec<usize> = (0..80).collect();
        let rows = Rows::new(&vectors, &all);
        let layers = fit(&rows, &codes, 2, &[1.0; 80]);
        let scores = rows.scores(&layers);
        for (row, code) in scores.rows().into_iter().zip(&codes) {
            assert!(row[*code] > row[1 - *code], "{row}");
        }
    }
}
