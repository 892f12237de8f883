//! A head as its layers, the same for every kind of head.

use ndarray::{Array1, Array2, Axis, concatenate};

use super::kernel::Kernel;
use super::rows::Scaling;

/// Layers `x · weights + bias` with `max(0, x)` between two of them, on a vector or on
/// what it resembles.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    pub(super) kernel: Option<Kernel>,
    pub(super) dense: Vec<(Array2<f64>, Array1<f64>)>,
}

impl Layers {
    /// Layers on the vector itself.
    pub(super) fn new(dense: Vec<(Array2<f64>, Array1<f64>)>) -> Self {
        let kernel = None;
        Self { kernel, dense }
    }

    /// Scores `[examples, classes]` of vectors `[examples, width]`.
    pub(super) fn scores(&self, mut values: Array2<f64>) -> Array2<f64> {
        if let Some(kernel) = &self.kernel {
            values = kernel.likeness(&values).mapv(f64::from);
        }
        for (index, (weights, bias)) in self.dense.iter().enumerate() {
            if index > 0 {
                values.mapv_inplace(|value| value.max(0.0));
            }
            values = values.dot(weights) + bias;
        }
        values
    }

    /// The same with all scores divided by `temperature`.
    pub(super) fn cooled(mut self, temperature: f64) -> Self {
        if let Some((weights, bias)) = self.dense.last_mut() {
            *weights /= temperature;
            *bias /= temperature;
        }
        self
    }

    /// The same with the first layer taking what `scaling` has not yet scaled.
    pub(super) fn behind(mut self, scaling: &Scaling) -> Self {
        if let Some((weights, bias)) = self.dense.first_mut() {
            for (mut row, deviation) in weights.rows_mut().into_iter().zip(&scaling.deviation) {
                row /= *deviation;
            }
            *bias = &*bias - &scaling.mean.dot(weights);
        }
        self
    }

    /// One head that gives the mean of the scores of several with one hidden layer
    /// each: their hidden units side by side.
    pub(super) fn averaged(heads: &[Self]) -> Option<Self> {
        let share = 1.0 / heads.len().max(1) as f64;
        let layer = |index: usize| heads.iter().filter_map(move |head| head.dense.get(index));
        let weights: Vec<_> = layer(0).map(|(weights, _)| weights.view()).collect();
        let biases: Vec<_> = layer(0).map(|(_, bias)| bias.view()).collect();
        let first = (
            concatenate(Axis(1), &weights).ok()?,
            concatenate(Axis(0), &biases).ok()?,
        );
        let weights: Vec<_> = layer(1).map(|(weights, _)| weights.view()).collect();
        let bias = layer(1)
            .map(|(_, bias)| bias.clone())
            .reduce(|a, b| a + b)?;
        let second = (concatenate(Axis(0), &weights).ok()? * share, bias * share);
        Some(Self::new(vec![first, second]))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::embedded::rows::Rows;

    #[test]
    fn scaling_and_temperature_fold_into_the_layers() {
        let vectors = array![[1.0_f32, 5.0], [3.0, 5.0], [8.0, 5.0]];
        let rows = Rows::new(&vectors, &[0, 1, 2]);
        let scaling = Scaling::of(&rows);
        let head = |by: f64| {
            Layers::new(vec![
                (array![[1.0, -2.0], [0.5, 1.0]] * by, array![0.25, 0.5]),
                (array![[1.0], [by]], array![by]),
            ])
        };
        let scaled = scaling.whole(&rows).mapv(f64::from);
        let plain = head(1.0).scores(scaled) / 2.0;
        let folded = rows.scores(&head(1.0).behind(&scaling).cooled(2.0));
        assert!((plain - folded).iter().all(|d| d.abs() < 1e-6));
        let mean = (rows.scores(&head(1.0)) + rows.scores(&head(3.0))) / 2.0;
        let both = Layers::averaged(&[head(1.0), head(3.0)]).unwrap();
        assert!((mean - rows.scores(&both)).iter().all(|d| d.abs() < 1e-9));
    }
}
