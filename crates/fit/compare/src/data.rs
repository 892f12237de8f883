//! Data sets that are always the same.

use ndarray::{Array2, Axis};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

const ROWS: usize = 4000;

/// The classes of [`Set::linear`].
pub(crate) const CLASSES: usize = 3;

/// Features `[rows, features]`, and the class of each row.
pub(crate) struct Set {
    pub(crate) features: Array2<f64>,
    pub(crate) codes: Vec<usize>,
}

impl Set {
    /// Three classes around means of their own, in twenty features.
    pub(crate) fn linear(seed: u64) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let codes: Vec<usize> = (0..ROWS).map(|row| row % CLASSES).collect();
        let features = Array2::from_shape_fn((ROWS, 20), |(row, column)| {
            let mean = if column % CLASSES == codes[row] {
                0.4
            } else {
                0.0
            };
            mean + normal(&mut random)
        });
        Self { features, codes }
    }

    /// Two classes that no plane tells apart: by the distance from the middle, and the
    /// product of two features; some labels are wrong.
    pub(crate) fn rings(seed: u64) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let features = Array2::from_shape_fn((ROWS, 10), |_| normal(&mut random));
        let codes = features.axis_iter(Axis(0)).map(|row| {
            let inside = row[0].hypot(row[1]) < 1.2;
            let wrong = random.random::<f64>() < 0.1;
            usize::from((inside != (row[2] * row[3] > 0.3)) != wrong)
        });
        let codes = codes.collect();
        Self { features, codes }
    }

    /// Rows to learn from, and as many others.
    pub(crate) fn halves(&self) -> [Self; 2] {
        self.split(2)
    }

    /// All rows but each `part`th, and these.
    pub(crate) fn split(&self, part: usize) -> [Self; 2] {
        [false, true].map(|wanted| {
            let rows = (0..self.codes.len()).filter(|row| (row % part == 0) == wanted);
            let rows: Vec<usize> = rows.collect();
            Self {
                features: self.features.select(Axis(0), &rows),
                codes: rows.iter().map(|row| self.codes[*row]).collect(),
            }
        })
    }
}

/// About normal: mean 0, deviation 1.
fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}
