//! A head with one hidden layer, fitted by Adam with dropout and early stopping.
//!
//! Our own: a network of two matrices is a page of code, where the frameworks
//! (candle, burn) bring hundreds of crates and a second tensor type.

use ndarray::{Array, Array1, Array2, Axis, Dimension, Zip};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::layers::Layers;
use super::rows::{Rows, Scaling};

const UNITS: usize = 256;
const BATCH: usize = 64;
const RATE: f32 = 1e-3;
const DECAY: f32 = 1e-2;
const DROPOUT: f32 = 0.5;
const MOST_EPOCHS: usize = 60;

/// Epochs without a better validation loss after which the fit ends.
const PATIENCE: usize = 5;

/// Embeddings with their classes and what each counts.
pub(super) struct Part<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) codes: &'a [usize],
    pub(super) weights: &'a [f64],
}

/// Fits to `training`, until `validation` is not predicted better any more.
pub(super) fn fit(training: &Part<'_>, validation: &Part<'_>, classes: usize, seed: u64) -> Layers {
    let scaling = Scaling::of(&training.rows);
    let inputs = scaling.whole(&training.rows);
    let unseen = scaling.whole(&validation.rows);
    let in_order: Vec<usize> = (0..unseen.nrows()).collect();
    let unseen = Rows::new(&unseen, &in_order);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut network = Network::new(inputs.ncols(), classes, &mut random);
    let mut order: Vec<usize> = (0..inputs.nrows()).collect();
    let mut best = (f64::INFINITY, network.layers());
    let mut since = 0;
    for _ in 0..MOST_EPOCHS {
        order.shuffle(&mut random);
        for rows in order.chunks(BATCH) {
            network.learn(&inputs, training, rows, &mut random);
        }
        let layers = network.layers();
        let loss = loss(&layers, &unseen, validation);
        if loss < best.0 {
            best = (loss, layers);
            since = 0;
        } else {
            since += 1;
        }
        if since == PATIENCE {
            break;
        }
    }
    best.1.behind(&scaling)
}

fn loss(layers: &Layers, inputs: &Rows<'_>, part: &Part<'_>) -> f64 {
    let probabilities = inputs.probabilities(layers);
    let rows = probabilities
        .rows()
        .into_iter()
        .zip(part.codes)
        .zip(part.weights);
    let losses = rows.map(|((row, code), weight)| {
        -row.get(*code).copied().unwrap_or(0.0).max(1e-12).ln() * weight
    });
    losses.sum::<f64>() / part.codes.len().max(1) as f64
}

/// Numbers that are fitted, with Adam's running means of the gradient and of its
/// square.
struct Fitted<D: Dimension> {
    values: Array<f32, D>,
    mean: Array<f32, D>,
    square: Array<f32, D>,
}

impl<D: Dimension> Fitted<D> {
    fn new(values: Array<f32, D>) -> Self {
        let zeros = Array::zeros(values.raw_dim());
        Self {
            values,
            mean: zeros.clone(),
            square: zeros,
        }
    }

    /// One step of Adam (Kingma and Ba, 2015) with decoupled weight decay.
    fn step(&mut self, gradient: &Array<f32, D>, count: i32, decay: f32) {
        const FIRST: f32 = 0.9;
        const SECOND: f32 = 0.999;
        let first = 1.0 - FIRST.powi(count);
        let second = 1.0 - SECOND.powi(count);
        Zip::from(&mut self.values)
            .and(&mut self.mean)
            .and(&mut self.square)
            .and(gradient)
            .for_each(|value, mean, square, gradient| {
                *mean = FIRST * *mean + (1.0 - FIRST) * gradient;
                *square = SECOND * *square + (1.0 - SECOND) * gradient * gradient;
                let towards = (*mean / first) / ((*square / second).sqrt() + 1e-8);
                *value -= RATE * (towards + decay * *value);
            });
    }
}

struct Network {
    hidden: Fitted<ndarray::Ix2>,
    hidden_bias: Fitted<ndarray::Ix1>,
    output: Fitted<ndarray::Ix2>,
    output_bias: Fitted<ndarray::Ix1>,
    steps: i32,
}

impl Network {
    fn new(width: usize, classes: usize, random: &mut Xoshiro256PlusPlus) -> Self {
        // Uniform with He's variance for units that pass what is positive.
        let mut matrix = |inputs: usize, outputs: usize| {
            let limit = (6.0 / inputs.max(1) as f32).sqrt();
            Array2::from_shape_simple_fn((inputs, outputs), || random.random_range(-limit..limit))
        };
        Self {
            hidden: Fitted::new(matrix(width, UNITS)),
            hidden_bias: Fitted::new(Array1::zeros(UNITS)),
            output: Fitted::new(matrix(UNITS, classes) * 0.1),
            output_bias: Fitted::new(Array1::zeros(classes)),
            steps: 0,
        }
    }

    fn layers(&self) -> Layers {
        let wide = |matrix: &Array2<f32>| matrix.mapv(f64::from);
        let bias = |bias: &Array1<f32>| bias.mapv(f64::from);
        Layers::new(vec![
            (wide(&self.hidden.values), bias(&self.hidden_bias.values)),
            (wide(&self.output.values), bias(&self.output_bias.values)),
        ])
    }

    /// One step on some rows.
    fn learn(
        &mut self,
        inputs: &Array2<f32>,
        part: &Part<'_>,
        rows: &[usize],
        random: &mut Xoshiro256PlusPlus,
    ) {
        let inputs = inputs.select(Axis(0), rows);
        let mut units = inputs.dot(&self.hidden.values) + &self.hidden_bias.values;
        units.mapv_inplace(|unit| {
            let kept = unit > 0.0 && random.random::<f32>() >= DROPOUT;
            if kept { unit / (1.0 - DROPOUT) } else { 0.0 }
        });
        let scores = units.dot(&self.output.values) + &self.output_bias.values;
        let mut errors = scores.mapv(f64::from);
        fit::to_probabilities(&mut errors);
        for (mut row, index) in errors.rows_mut().into_iter().zip(rows) {
            if let Some(right) = part.codes.get(*index).and_then(|code| row.get_mut(*code)) {
                *right -= 1.0;
            }
            row *= part.weights.get(*index).copied().unwrap_or(1.0) / rows.len() as f64;
        }
        let errors = errors.mapv(|error| error as f32);
        let mut behind = errors.dot(&self.output.values.t());
        Zip::from(&mut behind).and(&units).for_each(|error, unit| {
            *error = if *unit > 0.0 {
                *error / (1.0 - DROPOUT)
            } else {
                0.0
            };
        });
        self.steps += 1;
        self.output.step(&units.t().dot(&errors), self.steps, DECAY);
        self.output_bias
            .step(&errors.sum_axis(Axis(0)), self.steps, 0.0);
        self.hidden
            .step(&inputs.t().dot(&behind), self.steps, DECAY);
        self.hidden_bias
            .step(&behind.sum_axis(Axis(0)), self.steps, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No line tells an exclusive or.
    #[test]
    fn what_no_line_tells_is_learned() {
        let corner = |row: usize| [(row % 2) as f32, (row / 2 % 2) as f32];
        let noise = |row: usize| (row * 7919 % 101) as f32 / 400.0;
        let rows = 200;
        let vectors = Array2::from_shape_fn((rows, 2), |(r, c)| corner(r)[c] + noise(r + 50 * c));
        let codes: Vec<usize> = (0..rows).map(|r| (r % 2) ^ (r / 2 % 2)).collect();
        let all: Vec<usize> = (0..rows).collect();
        let vectors = Rows::new(&vectors, &all);
        let part = Part {
            rows: vectors,
            codes: &codes,
            weights: &vec![1.0; rows],
        };
        let layers = fit(&part, &part, 2, 1);
        assert!(loss(&layers, &vectors, &part) < 0.3);
    }
}
