//! Fits trees, one after the other, to what the former leave over.

use ndarray::{Array1, Array2, Axis};
use rand::seq::{IteratorRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::bins::Bins;
use super::{Question, Tree, Trees};
use crate::{select, softmax, to_probabilities};

/// Questions of a tree.
const DEPTH: usize = 4;

/// The share of a leaf's best value that is added.
const RATE: f64 = 0.1;

/// What is added to a leaf's curvature: leaves of few rows say little.
const PENALTY: f64 = 1.0;

/// The share of the rows that a tree is fitted to.
const ROWS: f64 = 0.7;

/// The share of the features that a tree may ask for.
const FEATURES: f64 = 0.5;

/// Trees without a better validation loss after which the fit ends.
const PATIENCE: usize = 40;

/// What is predicted.
#[derive(Debug, Clone)]
pub enum Targets {
    /// Codes below the number of classes, and what each row counts.
    Classes(Vec<usize>, Array1<f64>, usize),
    /// Numbers of mean 0 and deviation 1.
    Numbers(Vec<f64>),
}

/// How many trees are fitted.
pub enum Rounds<'a> {
    /// So many.
    Exactly(usize),
    /// At most so many, until these rows are predicted no better.
    Until(usize, &'a Array2<f32>, &'a Targets),
}

/// The validation loss before the first tree, and after each.
pub type Curve = Vec<f64>;

/// Fits trees to features `[rows, features]`; gives the validation loss as well.
/// `grown` is called after each tree.
pub fn fit(
    features: &Array2<f32>,
    targets: &Targets,
    rounds: &Rounds<'_>,
    seed: u64,
    grown: &dyn Fn(),
) -> (Trees, Curve) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let bins = Bins::of(features);
    let mut trees = Trees {
        trees: Vec::new(),
        start: targets.start(),
        gains: vec![0.0; features.ncols()],
    };
    let mut scores = trees.scores(features);
    let (most, validation) = match rounds {
        Rounds::Exactly(most) => (*most, None),
        Rounds::Until(most, rows, targets) => (*most, Some((*rows, *targets))),
    };
    let mut unseen = validation.map(|(rows, _)| trees.scores(rows));
    let mut curve = Curve::new();
    loop {
        if let (Some((_, targets)), Some(scores)) = (validation, &unseen) {
            curve.push(targets.loss(scores));
        }
        if trees.trees.len() == most || curve.len() > best(&curve) + PATIENCE {
            return (trees, curve);
        }
        let tree = grow(&bins, targets, &scores, &mut random, &mut trees.gains);
        tree.add(features, &mut scores);
        if let (Some((rows, _)), Some(scores)) = (validation, &mut unseen) {
            tree.add(rows, scores);
        }
        trees.trees.push(tree);
        grown();
    }
}

/// The position of the lowest loss.
pub fn best(curve: &[f64]) -> usize {
    let lowest = curve.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
    lowest.map_or(0, |(position, _)| position)
}

impl Targets {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match self {
            Self::Classes(codes, ..) => codes.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }

    /// The targets of some rows.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes(codes, weights, classes) => {
                Self::Classes(select(codes, rows), weights.select(Axis(0), rows), *classes)
            }
            Self::Numbers(numbers) => Self::Numbers(select(numbers, rows)),
        }
    }

    /// The mean loss of `scores` `[rows, outputs]`.
    pub fn loss(&self, scores: &Array2<f64>) -> f64 {
        let rows = scores.rows().into_iter();
        let sum: f64 = match self {
            Self::Classes(codes, weights, _) => {
                let rows = rows.zip(codes).zip(weights);
                rows.map(|((row, code), weight)| softmax::row_loss(row, *code) * weight)
                    .sum()
            }
            Self::Numbers(numbers) => {
                let errors = scores.iter().zip(numbers);
                errors.map(|(score, number)| (score - number).powi(2)).sum()
            }
        };
        sum / self.rows().max(1) as f64
    }

    /// The scores before the first tree: how common the classes are, or 0.
    fn start(&self) -> Array1<f32> {
        match self {
            Self::Classes(codes, weights, classes) => {
                let mut counts = Array1::from_elem(*classes, 1.0);
                for (code, weight) in codes.iter().zip(weights) {
                    if let Some(count) = counts.get_mut(*code) {
                        *count += weight;
                    }
                }
                let all = counts.sum();
                counts.mapv(|count| (count / all).ln() as f32)
            }
            Self::Numbers(_) => Array1::zeros(1),
        }
    }

    /// Slope and curvature of the loss, each `[rows, outputs]`.
    fn derivatives(&self, scores: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
        let mut slopes = scores.clone();
        match self {
            Self::Classes(codes, weights, _) => {
                to_probabilities(&mut slopes);
                let mut curvatures = slopes.mapv(|p| (p * (1.0 - p)).max(1e-6));
                let rows = slopes.rows_mut().into_iter().zip(curvatures.rows_mut());
                for (((mut slope, mut curve), code), weight) in rows.zip(codes).zip(weights) {
                    if let Some(own) = slope.get_mut(*code) {
                        *own -= 1.0;
                    }
                    slope *= *weight;
                    curve *= *weight;
                }
                (slopes, curvatures)
            }
            Self::Numbers(numbers) => {
                let errors = slopes.iter_mut().zip(numbers);
                errors.for_each(|(slope, number)| *slope -= number);
                let curvatures = Array2::ones(slopes.raw_dim());
                (slopes, curvatures)
            }
        }
    }
}

/// One tree, by what the scores leave over in a share of the rows.
fn grow(
    bins: &Bins,
    targets: &Targets,
    scores: &Array2<f64>,
    random: &mut Xoshiro256PlusPlus,
    gains: &mut [f64],
) -> Tree {
    let (slopes, curvatures) = targets.derivatives(scores);
    let rows: Vec<usize> = (0..targets.rows())
        .filter(|_| random.random::<f64>() < ROWS)
        .collect();
    let some = (bins.codes.len() as f64 * FEATURES).ceil() as usize;
    let mut asked = (0..bins.codes.len()).choose_multiple(random, some.max(1));
    asked.shuffle(random);
    let mut leaves = vec![0_usize; targets.rows()];
    let mut questions = Vec::new();
    for level in 0..DEPTH {
        let cut = Cut {
            leaves: &leaves,
            count: 1 << level,
            rows: &rows,
            slopes: &slopes,
        };
        let mut found = (0.0, 0, 0);
        for feature in &asked {
            let (gain, bin) = cut.best(bins, *feature);
            if gain > found.0 {
                found = (gain, *feature, bin);
            }
        }
        let (gain, feature, bin) = found;
        if let Some(sum) = gains.get_mut(feature) {
            *sum += gain;
        }
        // Where nothing is gained, a question that no row answers with yes.
        let borders = bins.borders.get(feature).filter(|_| gain > 0.0);
        let border = borders.and_then(|borders| borders.get(bin)).copied();
        questions.push(Question {
            feature,
            border: border.unwrap_or(f32::INFINITY),
        });
        if let (Some(codes), Some(_)) = (bins.codes.get(feature), border) {
            for (leaf, code) in leaves.iter_mut().zip(codes) {
                *leaf |= usize::from(usize::from(*code) > bin) << level;
            }
        }
    }
    Tree {
        questions,
        leaves: values(&leaves, &rows, &slopes, &curvatures),
    }
}

/// A level of a tree in the making.
struct Cut<'a> {
    leaves: &'a [usize],
    count: usize,
    rows: &'a [usize],
    slopes: &'a Array2<f64>,
}

impl Cut<'_> {
    /// What the best border of `feature` gains over none, and its position.
    fn best(&self, bins: &Bins, feature: usize) -> (f64, usize) {
        let (Some(codes), Some(borders)) = (bins.codes.get(feature), bins.borders.get(feature))
        else {
            return (0.0, 0);
        };
        let (width, outputs) = (borders.len() + 1, self.slopes.ncols());
        // Of every leaf and interval: the slopes' sums, and the number of rows.
        let mut sums = Array2::<f64>::zeros((self.count * width, outputs + 1));
        for row in self.rows {
            let (Some(leaf), Some(code)) = (self.leaves.get(*row), codes.get(*row)) else {
                continue;
            };
            let mut cell = sums.row_mut(leaf * width + usize::from(*code));
            let slopes = self.slopes.row(*row);
            cell.iter_mut()
                .zip(slopes.iter().chain([&1.0]))
                .for_each(|(sum, slope)| *sum += slope);
        }
        let mut gains = vec![0.0; borders.len()];
        for leaf in sums.axis_chunks_iter(Axis(0), width) {
            let all = leaf.sum_axis(Axis(0));
            let whole = worth(all.iter().copied());
            let mut below = Array1::<f64>::zeros(outputs + 1);
            for (interval, gain) in leaf.rows().into_iter().zip(&mut gains) {
                below += &interval;
                let above = all.iter().zip(&below).map(|(all, below)| all - below);
                *gain += worth(below.iter().copied()) + worth(above) - whole;
            }
        }
        let best = gains.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.map_or((0.0, 0), |(position, gain)| (*gain, position))
    }
}

/// How far a leaf lowers the loss, by the slopes' sums with the rows behind them.
fn worth(sums: impl DoubleEndedIterator<Item = f64>) -> f64 {
    let mut backwards = sums.rev();
    let rows = backwards.next().unwrap_or_default();
    backwards.map(|sum| sum * sum).sum::<f64>() / (rows + PENALTY)
}

/// The step of Newton's method in every leaf, shortened.
fn values(
    leaves: &[usize],
    rows: &[usize],
    slopes: &Array2<f64>,
    curvatures: &Array2<f64>,
) -> Array2<f32> {
    let shape = (1 << DEPTH, slopes.ncols());
    let (mut sums, mut curves) = (Array2::<f64>::zeros(shape), Array2::<f64>::zeros(shape));
    for row in rows {
        if let Some(leaf) = leaves.get(*row) {
            let mut sum = sums.row_mut(*leaf);
            sum += &slopes.row(*row);
            let mut curve = curves.row_mut(*leaf);
            curve += &curvatures.row(*row);
        }
    }
    let steps = -RATE * sums / (curves + PENALTY);
    steps.mapv(|step| step as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No sum of single features tells an exclusive or.
    #[test]
    fn what_two_features_tell_together_is_learned() {
        let rows = 400;
        let features = Array2::from_shape_fn((rows, 3), |(row, column)| {
            (row * (7919 + 104_729 * column) % 1009) as f32
        });
        let class =
            |row: ndarray::ArrayView1<'_, f32>| usize::from((row[0] > 500.0) != (row[1] > 500.0));
        let codes: Vec<usize> = features.rows().into_iter().map(class).collect();
        let targets = Targets::Classes(codes, Array1::ones(rows), 2);
        let (seen, unseen): (Vec<usize>, Vec<usize>) = (0..rows).partition(|row| row % 4 > 0);
        let part = |rows: &[usize]| (features.select(Axis(0), rows), targets.select(rows));
        let ((learned, right), (others, wanted)) = (part(&seen), part(&unseen));
        let rounds = Rounds::Until(200, &others, &wanted);
        let grown = std::cell::Cell::new(0);
        let count = || grown.set(grown.get() + 1);
        let (trees, curve) = fit(&learned, &right, &rounds, 3, &count);
        assert_eq!(grown.get(), trees.trees.len());
        assert!(curve[best(&curve)] < 0.25, "{curve:?}");
        assert!(trees.gains[2] < trees.gains[0].min(trees.gains[1]));
        let (again, _) = fit(&learned, &right, &rounds, 3, &|| ());
        assert_eq!(trees, again);
    }
}
