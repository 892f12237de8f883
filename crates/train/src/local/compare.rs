//! Chooses between the linear model and trees by cross-validation.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, Axis, concatenate};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::parallel;
use crate::progress::Progress;
use fit::trees::{self, Rounds, Targets, Trees};
use fit::{FitError, Hyperparameters, Linear, Scale, ridge, select, softmax};

/// Tables of fewer rows to learn from get a linear model: every other one would
/// be chosen by chance.
pub(super) const FEWEST: usize = 50;

/// Beyond so many rows one part tells as much as all.
const MANY: usize = 10_000;

/// The most trees.
const TREES: usize = 400;

/// What a table's rows are, for both kinds of model.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// For the linear model, `[rows, features]`.
    pub(super) scaled: Array2<f64>,
    /// The same features for trees, as they are.
    pub(super) raw: Array2<f32>,
    /// What is predicted.
    pub(super) targets: Targets,
    /// What stays in one part has the same number.
    pub(super) groups: Vec<usize>,
    /// The linear model that is continued.
    pub(super) prior: Option<Linear>,
}

/// How both kinds of model did on rows that they had not seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Comparison {
    /// The mean loss of the linear model: log loss, or squared error in units of
    /// the target's variance.
    pub(crate) linear: f64,
    /// The position of its penalty among those that were tried.
    pub(super) penalty: usize,
    /// The mean loss of the trees.
    pub(crate) trees: f64,
    /// The number of trees with which it was lowest.
    pub(crate) count: usize,
}

/// What models say of rows that they have not learned from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unseen {
    /// The positions of the rows among those that are learned from.
    pub(crate) rows: Vec<usize>,
    /// Scores `[rows, outputs]`.
    pub(crate) scores: Array2<f64>,
}

/// The models that have learned from all parts but one, and what they say of that.
#[derive(Debug)]
struct Tried {
    part: Vec<usize>,
    /// By penalty.
    linear: Vec<Array2<f64>>,
    losses: Vec<f64>,
    trees: Option<(Trees, trees::Curve)>,
}

/// What is tried.
#[derive(Debug)]
pub(super) struct Plan {
    /// The linear models.
    pub(super) penalties: Vec<Hyperparameters>,
    /// Whether trees are.
    pub(super) trees: bool,
    /// The parts of the cross-validation.
    pub(super) folds: usize,
    /// What decides on the parts, and on the trees.
    pub(super) seed: u64,
}

/// A cross-validation.
#[derive(Debug)]
pub(super) struct Tries(Vec<Tried>);

impl Rows {
    fn select(&self, rows: &[usize]) -> Self {
        Self {
            scaled: self.scaled.select(Axis(0), rows),
            raw: self.raw.select(Axis(0), rows),
            targets: self.targets.select(rows),
            groups: select(&self.groups, rows),
            prior: self.prior.clone(),
        }
    }

    /// Fits what is planned to all rows but a `part`.
    fn try_without(
        &self,
        part: Vec<usize>,
        plan: &Plan,
        progress: &Progress,
    ) -> Result<Tried, FitError> {
        let left_out: BTreeSet<usize> = part.iter().copied().collect();
        let seen: Vec<usize> = (0..self.targets.rows())
            .filter(|row| !left_out.contains(row))
            .collect();
        let (seen, unseen) = (self.select(&seen), self.select(&part));
        let penalties = plan.penalties.iter();
        let linear = penalties.map(|settings| seen.linear(settings, &unseen));
        let linear = linear.collect::<Result<Vec<_>, FitError>>()?;
        let rounds = Rounds::Until(TREES, &unseen.raw, &unseen.targets);
        let trees = plan.trees.then(|| {
            let fitted = trees::fit(&seen.raw, &seen.targets, &rounds, plan.seed, &|| {
                progress.advance(1)
            });
            progress.advance(TREES - fitted.0.trees.len());
            fitted
        });
        let losses = linear.iter().map(|scores| unseen.targets.loss(scores));
        Ok(Tried {
            losses: losses.collect(),
            trees,
            linear,
            part,
        })
    }

    /// What a linear model of these rows says of the `unseen` ones, in the units of their
    /// targets.
    fn linear(&self, settings: &Hyperparameters, unseen: &Self) -> Result<Array2<f64>, FitError> {
        match &self.targets {
            Targets::Classes(codes, _, classes) => {
                let prior = self.prior.as_ref();
                let (linear, _) = softmax::fit(&self.scaled, codes, *classes, settings, prior)?;
                Ok(linear.scores(&unseen.scaled))
            }
            Targets::Numbers(numbers) => {
                // These are scaled already.
                let scale = Some(Scale {
                    mean: 0.0,
                    deviation: 1.0,
                });
                let prior = self.prior.clone().map(|prior| Linear { scale, ..prior });
                let linear = ridge::fit(&self.scaled, numbers, settings.l2, prior.as_ref())?;
                Ok(linear.outputs(&unseen.scaled))
            }
        }
    }
}

/// Tries what is planned on parts of `rows`.
///
/// # Errors
///
/// When no linear model can be fitted to a part.
pub(super) fn try_parts(rows: &Rows, plan: &Plan) -> Result<Tries, FitError> {
    let parts = parts(&rows.targets, &rows.groups, plan);
    let tried = if parts.len() > MANY { 1 } else { plan.folds };
    let progress = Progress::new("compared the models", tried * TREES);
    let results = parallel::map(tried, |part| {
        let unseen = (0..parts.len()).filter(|row| parts.get(*row) == Some(&part));
        rows.try_without(unseen.collect(), plan, &progress)
    });
    results.into_iter().collect::<Result<_, _>>().map(Tries)
}

impl Tries {
    /// The mean loss of the linear model with each penalty.
    pub(super) fn losses(&self) -> Vec<f64> {
        let penalties = self.0.first().map_or(0, |tried| tried.losses.len());
        let share = 1.0 / self.0.len().max(1) as f64;
        let of = |penalty: usize| {
            let losses = self.0.iter().filter_map(|tried| tried.losses.get(penalty));
            losses.map(|loss| loss * share).sum()
        };
        (0..penalties).map(of).collect()
    }

    /// The least of the mean losses.
    pub(super) fn comparison(&self) -> Comparison {
        let share = 1.0 / self.0.len().max(1) as f64;
        let losses = self.losses();
        let penalty = trees::best(&losses);
        let curves = || self.0.iter().filter_map(|tried| tried.trees.as_ref());
        let longest = curves().map(|(_, curve)| curve.len()).max();
        let mean = (0..longest.unwrap_or_default()).map(|count| {
            // A fit that ended early has its last loss from there on.
            let at = |curve: &Vec<f64>| curve.get(count).or(curve.last()).copied();
            let losses = curves().filter_map(|(_, curve)| at(curve));
            losses.map(|loss| loss * share).sum()
        });
        let mean: Vec<f64> = mean.collect();
        let count = trees::best(&mean);
        Comparison {
            linear: losses.get(penalty).copied().unwrap_or(f64::INFINITY),
            penalty,
            trees: mean.get(count).copied().unwrap_or(f64::INFINITY),
            count,
        }
    }

    /// What the linear models of a `penalty`, or the first `trees`, say of the rows left
    /// out.
    pub(super) fn unseen(self, rows: &Rows, penalty: usize, trees: Option<usize>) -> Unseen {
        let mut all = Unseen {
            rows: Vec::new(),
            scores: Array2::zeros((0, 0)),
        };
        for mut tried in self.0 {
            let scores = match (trees, tried.trees) {
                (Some(count), Some((of_part, _))) => of_part
                    .first(count)
                    .scores(&rows.raw.select(Axis(0), &tried.part)),
                _ if penalty < tried.linear.len() => tried.linear.swap_remove(penalty),
                _ => continue,
            };
            all.rows.extend(tried.part);
            all.scores = match all.scores.is_empty() {
                true => scores,
                false => concatenate![Axis(0), all.scores, scores],
            };
        }
        all
    }
}

/// The trees, where the comparison is theirs.
pub(super) fn chosen(rows: &Rows, comparison: &Comparison, seed: u64) -> Option<Trees> {
    let better = comparison.trees < comparison.linear && comparison.count > 0;
    better.then(|| {
        let rounds = Rounds::Exactly(comparison.count);
        let progress = Progress::new("fitted the trees", comparison.count);
        trees::fit(&rows.raw, &rows.targets, &rounds, seed, &|| {
            progress.advance(1)
        })
        .0
    })
}

/// The part of each row; classes have their share in every part, and groups stay whole.
fn parts(targets: &Targets, groups: &[usize], plan: &Plan) -> Vec<usize> {
    let mut order: Vec<usize> = (0..targets.rows()).collect();
    order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(plan.seed));
    if let Targets::Classes(codes, ..) = targets {
        order.sort_by_key(|row| codes.get(*row));
    }
    let mut of_group = BTreeMap::new();
    let mut parts = vec![0; order.len()];
    for row in order {
        let next = of_group.len() % plan.folds;
        if let (Some(part), Some(group)) = (parts.get_mut(row), groups.get(row)) {
            *part = *of_group.entry(*group).or_insert(next);
        }
    }
    parts
}

/// The targets of the training rows.
pub(super) fn targets(
    target: &crate::data::Target,
    training: &[usize],
    linear: &Linear,
    settings: &Hyperparameters,
) -> Targets {
    match target {
        crate::data::Target::Classes { labels, codes } => {
            let codes = select(codes, training);
            let weights = softmax::row_weights(&codes, labels.len(), settings.class_weights);
            Targets::Classes(codes, weights, labels.len())
        }
        crate::data::Target::Numbers(numbers) => {
            let scale = linear.scale.map_or((0.0, 1.0), |scale| {
                (f64::from(scale.mean), f64::from(scale.deviation))
            });
            let numbers = select(numbers, training).into_iter();
            Targets::Numbers(numbers.map(|number| (number - scale.0) / scale.1).collect())
        }
    }
}
