//! Chooses the head by cross-validation, and its temperature.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use fit::{FitError, Hyperparameters, select, softmax, to_probabilities};
use ndarray::Array2;

use super::layers::Layers;
use super::mlp::Part;
use super::rows::Rows;
use super::{kernel, linear, mlp, parts};
use crate::delta::Prior;
use crate::experiment::{Experiment, HeadKind};
use crate::parallel;
use crate::progress::{Progress, step};

/// Norm of the gradient at which a fit ends that only serves to compare.
const ROUGH: f64 = 1e-4;

/// What is learned from.
pub(super) struct Training<'a> {
    /// All embeddings, `[all examples, width]`.
    pub(super) vectors: &'a Array2<f32>,
    /// Which of them are learned from.
    pub(super) rows: &'a [usize],
    /// The class of each of these.
    pub(super) codes: &'a [usize],
    /// What resembles each other has the same number.
    pub(super) groups: &'a [usize],
    /// How many classes there are.
    pub(super) classes: usize,
    /// The head that is continued.
    pub(super) prior: Option<&'a Prior>,
}

/// A head that was tried.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Its kind.
    pub(crate) kind: HeadKind,
    /// The penalty of a linear one.
    pub(crate) l2: f64,
    /// The mean log loss on the part left out, with the best temperature.
    pub(crate) log_loss: f64,
    /// The share of right answers there.
    pub(crate) accuracy: f64,
    temperature: f64,
    scores: Array2<f64>,
    /// The heads of the parts, where they are what is published.
    heads: Vec<Layers>,
}

/// The head that is published.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Its layers, with the temperature in the last.
    pub(crate) layers: Layers,
    /// What the scores were divided by.
    pub(crate) temperature: f64,
    /// What was tried, in order.
    pub(crate) tried: Vec<Candidate>,
    /// The position of the best.
    pub(crate) best: usize,
    /// Probabilities of the training examples, each by a head that has not seen it.
    pub(crate) unseen: Array2<f64>,
}

/// Tries what the experiment says, and fits the best to all of `training`.
pub(super) fn choose(training: &Training<'_>, experiment: &Experiment) -> Result<Chosen> {
    let folds = experiment.search.folds;
    let parts = parts::folds(
        training.codes,
        training.groups,
        training.classes,
        folds,
        experiment.seed,
    );
    let mut heads = Vec::new();
    for kind in experiment.search.heads.iter().flatten() {
        match kind {
            HeadKind::Linear => heads.extend(
                experiment
                    .search
                    .of_heads()
                    .into_iter()
                    .map(|l2| (*kind, l2)),
            ),
            HeadKind::Mlp | HeadKind::Kernel => heads.push((*kind, 0.0)),
        }
    }
    let fit = |task: usize| {
        let (kind, l2) = heads.get(task / folds).copied().context("no such head")?;
        let settings = settings(experiment, l2, ROUGH);
        fold(
            training,
            &parts,
            task % folds,
            kind,
            &settings,
            experiment.seed,
        )
    };
    let progress = Progress::new("fitted the heads", heads.len() * folds);
    let fitted = parallel::map(heads.len() * folds, |task| {
        let fitted = fit(task);
        progress.advance(1);
        fitted
    });
    let fitted = fitted.into_iter().collect::<Result<Vec<_>>>()?;
    let tried: Vec<Candidate> = heads
        .iter()
        .zip(fitted.chunks(folds))
        .map(|((kind, l2), fitted)| candidate(training, *kind, *l2, fitted))
        .collect();
    tried.iter().for_each(tell);
    let better =
        |a: &(usize, &Candidate), b: &(usize, &Candidate)| a.1.log_loss.total_cmp(&b.1.log_loss);
    let (best, head) = tried.iter().enumerate().min_by(better).context("no head")?;
    let layers = match head.kind {
        HeadKind::Linear => {
            let settings = settings(experiment, head.l2, experiment.hyperparameters.tolerance);
            linear::fit(
                Rows::new(training.vectors, training.rows),
                training.codes,
                training.classes,
                &settings,
                training.prior,
            )?
        }
        HeadKind::Mlp => Layers::averaged(&head.heads).context("the heads do not fit together")?,
        HeadKind::Kernel => kernel_of(
            Rows::new(training.vectors, training.rows),
            training.codes,
            training.classes,
            &experiment.hyperparameters,
        ),
    };
    let temperature = head.temperature;
    let mut unseen = &head.scores / temperature;
    to_probabilities(&mut unseen);
    Ok(Chosen {
        layers: layers.cooled(temperature),
        temperature,
        best,
        unseen,
        tried,
    })
}

/// A head like the `chosen` one, without its temperature, that has learned from
/// `training`.
pub(super) fn refit(
    training: &Training<'_>,
    chosen: &Chosen,
    experiment: &Experiment,
) -> Result<Layers> {
    let like = chosen.tried.get(chosen.best).context("no head")?;
    match like.kind {
        HeadKind::Linear => {
            let settings = settings(experiment, like.l2, ROUGH);
            let rows = Rows::new(training.vectors, training.rows);
            let (codes, classes) = (training.codes, training.classes);
            Ok(linear::fit(
                rows,
                codes,
                classes,
                &settings,
                training.prior,
            )?)
        }
        HeadKind::Kernel => Ok(kernel_of(
            Rows::new(training.vectors, training.rows),
            training.codes,
            training.classes,
            &experiment.hyperparameters,
        )),
        HeadKind::Mlp => {
            let folds = experiment.search.folds;
            let (codes, groups) = (training.codes, training.groups);
            let parts = parts::folds(codes, groups, training.classes, folds, experiment.seed);
            let settings = settings(experiment, like.l2, ROUGH);
            let fit = |part| {
                let (kind, seed) = (HeadKind::Mlp, experiment.seed);
                fold(training, &parts, part, kind, &settings, seed).map(|(layers, ..)| layers)
            };
            let heads = parallel::map(folds, fit).into_iter();
            let heads = heads.collect::<Result<Vec<_>>>()?;
            Layers::averaged(&heads).context("the heads do not fit together")
        }
    }
}

fn kernel_of(
    rows: Rows<'_>,
    codes: &[usize],
    classes: usize,
    settings: &Hyperparameters,
) -> Layers {
    let weights = softmax::row_weights(codes, classes, settings.class_weights);
    kernel::fit(&rows, codes, classes, &weights.to_vec())
}

fn settings(experiment: &Experiment, l2: f64, tolerance: f64) -> Hyperparameters {
    Hyperparameters {
        l2,
        tolerance,
        ..experiment.hyperparameters.clone()
    }
}

/// The head of one part, with its rows and their scores.
type Fold = (Layers, Vec<usize>, Array2<f64>);

/// Fits to all parts but one; gives the scores of that one.
fn fold(
    training: &Training<'_>,
    parts: &[usize],
    part: usize,
    kind: HeadKind,
    settings: &Hyperparameters,
    seed: u64,
) -> Result<Fold> {
    let rows = |inside: bool| -> Vec<usize> {
        let all = parts.iter().enumerate();
        all.filter(|(_, p)| (**p == part) == inside)
            .map(|(row, _)| row)
            .collect()
    };
    let (seen, unseen) = (rows(false), rows(true));
    let places = [&seen, &unseen].map(|part| select(training.rows, part));
    let [learned, others] = places.each_ref().map(|p| Rows::new(training.vectors, p));
    let codes = select(training.codes, &seen);
    let layers = match kind {
        HeadKind::Linear => {
            linear::fit(learned, &codes, training.classes, settings, training.prior)?
        }
        HeadKind::Kernel => kernel_of(learned, &codes, training.classes, settings),
        HeadKind::Mlp => {
            let weights =
                softmax::row_weights(training.codes, training.classes, settings.class_weights);
            let weights = weights.to_vec();
            let learned = Part {
                rows: learned,
                codes: &codes,
                weights: &select(&weights, &seen),
            };
            let left_out = Part {
                rows: others,
                codes: &select(training.codes, &unseen),
                weights: &select(&weights, &unseen),
            };
            mlp::fit(
                &learned,
                &left_out,
                training.classes,
                seed.wrapping_add(part as u64),
            )
        }
    };
    let scores = others.scores(&layers);
    if scores.iter().any(|score| !score.is_finite()) {
        return Err(FitError::Solver("the scores are not finite".to_owned()).into());
    }
    Ok((layers, unseen, scores))
}

fn candidate(training: &Training<'_>, kind: HeadKind, l2: f64, folds: &[Fold]) -> Candidate {
    let mut scores = Array2::zeros((training.codes.len(), training.classes));
    for (_, rows, of_part) in folds {
        for (row, values) in rows.iter().zip(of_part.rows()) {
            scores.row_mut(*row).assign(&values);
        }
    }
    let (temperature, log_loss) = coolest(&scores, training.codes);
    let right = scores.rows().into_iter().zip(training.codes);
    let right = right.filter(|(row, code)| {
        let own = row.get(**code).copied().unwrap_or(f64::NEG_INFINITY);
        row.iter()
            .enumerate()
            .all(|(other, score)| other == **code || *score < own)
    });
    let accuracy = right.count() as f64 / training.codes.len().max(1) as f64;
    Candidate {
        kind,
        l2,
        log_loss,
        accuracy,
        temperature,
        scores,
        heads: match kind {
            HeadKind::Mlp => folds.iter().map(|(layers, ..)| layers.clone()).collect(),
            HeadKind::Linear | HeadKind::Kernel => Vec::new(),
        },
    }
}

/// The temperature with the least log loss, and that loss.
fn coolest(scores: &Array2<f64>, codes: &[usize]) -> (f64, f64) {
    let loss = |temperature| softmax::mean_loss(scores, codes, temperature);
    let temperature = softmax::coolest(loss);
    (temperature, loss(temperature))
}

impl Chosen {
    /// How the best did in the cross-validation on `rows` examples.
    pub(super) fn figures(&self, rows: usize) -> BTreeMap<String, f64> {
        let best = self.tried.get(self.best);
        let figures = [
            ("training_rows", Some(rows as f64)),
            ("cross_validation_loss", best.map(|best| best.log_loss)),
            ("cross_validation_accuracy", best.map(|best| best.accuracy)),
        ];
        let known = figures.into_iter();
        known
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

impl Candidate {
    /// What it is, in a few words.
    pub(crate) fn words(&self) -> String {
        match self.kind {
            HeadKind::Linear => format!("linear head, l2 {}", self.l2),
            HeadKind::Mlp => "head with a hidden layer".to_owned(),
            HeadKind::Kernel => "head of likenesses".to_owned(),
        }
    }
}

fn tell(candidate: &Candidate) {
    step(format_args!(
        "tried a {}: log loss {:.4}, accuracy {:.4} in cross-validation",
        candidate.words(),
        candidate.log_loss,
        candidate.accuracy
    ));
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_temperature_makes_probabilities_honest() {
        // Right in three of four, and much too sure of it.
        let scores = array![[9.0, 0.0], [9.0, 0.0], [9.0, 0.0], [9.0, 0.0]];
        let (temperature, loss) = coolest(&scores, &[0, 0, 0, 1]);
        let share = 1.0 / (1.0 + (-9.0 / temperature).exp());
        assert!((share - 0.75).abs() < 1e-3, "{share}");
        assert!((loss - 0.562_335).abs() < 1e-4, "{loss}");
    }
}
