//! Some of the embeddings, without a copy of them.
//!
//! All embeddings together are the largest thing that a training holds: 4 bytes a
//! number. So they are there once, and what is computed of them is computed block
//! by block.

use fit::softmax::Features;
use fit::{Linear, standardised, to_probabilities, widened};
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};

use super::layers::Layers;

/// Rows that are widened at once.
const BLOCK: usize = 1024;

/// The embeddings `[rows, width]` at some rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    vectors: &'a Array2<f32>,
    rows: &'a [usize],
}

impl<'a> Rows<'a> {
    /// The rows of `vectors` at `rows`.
    pub(super) fn new(vectors: &'a Array2<f32>, rows: &'a [usize]) -> Self {
        Self { vectors, rows }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The numbers of an embedding.
    pub(super) fn width(&self) -> usize {
        self.vectors.ncols()
    }

    /// All rows in order, some at a time, with more digits.
    fn blocks(&self) -> impl Iterator<Item = Array2<f64>> {
        let chunks = self.rows.chunks(BLOCK);
        chunks.map(|rows| widened(self.vectors, rows))
    }

    /// What `layers` give for each row, `[rows, classes]`.
    pub(super) fn scores(&self, layers: &Layers) -> Array2<f64> {
        let blocks: Vec<_> = self.blocks().map(|block| layers.scores(block)).collect();
        let views: Vec<_> = blocks.iter().map(Array2::view).collect();
        concatenate(Axis(0), &views).unwrap_or_default()
    }

    /// The same as probabilities.
    pub(super) fn probabilities(&self, layers: &Layers) -> Array2<f64> {
        let mut scores = self.scores(layers);
        to_probabilities(&mut scores);
        scores
    }
}

/// What makes each number of an embedding have mean 0 and deviation 1.
#[derive(Debug, Clone)]
pub(super) struct Scaling {
    pub(super) mean: Array1<f64>,
    pub(super) deviation: Array1<f64>,
}

impl Scaling {
    /// The mean and deviation of each number over `rows`; one that does not vary
    /// keeps its unit.
    pub(super) fn of(rows: &Rows<'_>) -> Self {
        let count = rows.len().max(1) as f64;
        let mut mean = Array1::zeros(rows.width());
        for block in rows.blocks() {
            mean += &block.sum_axis(Axis(0));
        }
        mean /= count;
        let mut variance = Array1::<f64>::zeros(rows.width());
        for block in rows.blocks() {
            let squares = (block - &mean).mapv(|distance| distance * distance);
            variance += &squares.sum_axis(Axis(0));
        }
        let deviation = (variance / count).mapv(f64::sqrt);
        Self {
            mean,
            deviation: deviation.mapv(|d| if d > 1e-9 { d } else { 1.0 }),
        }
    }

    /// `rows`, scaled, all at once.
    pub(super) fn whole(&self, rows: &Rows<'_>) -> Array2<f32> {
        let mut scaled = Array2::zeros((rows.len(), rows.width()));
        let places = scaled.axis_chunks_iter_mut(Axis(0), BLOCK);
        for (mut place, block) in places.zip(rows.blocks()) {
            place.assign(&self.apply(block).mapv(|v| v as f32));
        }
        scaled
    }

    /// Takes the larger of each deviation and this one.
    pub(super) fn widen(&mut self, deviation: &Array1<f64>) {
        for (own, other) in self.deviation.iter_mut().zip(deviation) {
            *own = own.max(*other);
        }
    }

    /// The model that gives for scaled rows what `linear` gives for these as they are.
    pub(super) fn scaled(&self, linear: &Linear) -> Linear {
        let mut weights = linear.weights.clone();
        for (mut row, deviation) in weights.rows_mut().into_iter().zip(&self.deviation) {
            row *= *deviation;
        }
        Linear {
            weights,
            bias: &linear.bias + &self.mean.dot(&linear.weights),
            scale: None,
        }
    }

    fn apply(&self, block: Array2<f64>) -> Array2<f64> {
        standardised(block, &self.mean, &self.deviation)
    }
}

/// Rows, scaled whenever they are wanted.
pub(super) struct Scaled<'a> {
    rows: Rows<'a>,
    scaling: &'a Scaling,
    /// All of them where they are one block. A solver wants them some hundred times, and
    /// scaling them takes longer than what it computes of them.
    ready: Option<Array2<f64>>,
}

impl<'a> Scaled<'a> {
    /// `rows` by their `scaling`.
    pub(super) fn new(rows: Rows<'a>, scaling: &'a Scaling) -> Self {
        let only = (rows.len() <= BLOCK).then(|| rows.blocks().next());
        Self {
            rows,
            scaling,
            ready: only.flatten().map(|block| scaling.apply(block)),
        }
    }
}

impl Features for Scaled<'_> {
    fn width(&self) -> usize {
        self.rows.width()
    }

    fn each_block(&self, take: &mut dyn FnMut(usize, ArrayView2<'_, f64>)) {
        if let Some(block) = &self.ready {
            return take(0, block.view());
        }
        for (index, block) in self.rows.blocks().enumerate() {
            take(index * BLOCK, self.scaling.apply(block).view());
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn blocks_give_the_same_as_the_whole() {
        let vectors = Array2::from_shape_fn((3000, 2), |(r, c)| (r * 7 % 13 + c) as f32);
        let all: Vec<usize> = (0..3000).rev().collect();
        let rows = Rows::new(&vectors, &all);
        let scaling = Scaling::of(&rows);
        let wide = vectors.mapv(f64::from);
        let mean = wide.mean_axis(Axis(0)).unwrap();
        assert!((&scaling.mean - &mean).iter().all(|d| d.abs() < 1e-9));
        let deviation = wide.std_axis(Axis(0), 0.0);
        assert!(
            (&scaling.deviation - &deviation)
                .iter()
                .all(|d| d.abs() < 1e-9)
        );
        let layers = Layers::new(vec![(array![[1.0], [2.0]], array![0.5])]);
        let scores = rows.scores(&layers);
        assert_eq!(scores.dim(), (3000, 1));
        assert_eq!(
            scores[[0, 0]],
            0.5 + wide[[2999, 0]] + 2.0 * wide[[2999, 1]]
        );
        for (count, wanted) in [(3000, 3), (1024, 1), (1, 1), (0, 0)] {
            let rows = Rows::new(&vectors, &all[..count]);
            let (mut seen, mut blocks) = (0, 0);
            Scaled::new(rows, &scaling).each_block(&mut |first, block| {
                assert_eq!(first, seen);
                let row = vectors.row(all[first]).mapv(f64::from);
                assert_eq!(block.row(0), (row - &scaling.mean) / &scaling.deviation);
                seen += block.nrows();
                blocks += 1;
            });
            assert_eq!((seen, blocks), (count, wanted));
        }
        assert_eq!(scaling.whole(&rows).nrows(), 3000);
    }
}
