//! From all examples to those that a continued model learns from, and the head that
//! it starts with.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use backbone::Backbone;
use fit::Linear;
use monitor::{Reference, Values};
use ndarray::{Array1, Array2};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Delta;
use crate::embedded::Examples;
use crate::experiment::Experiment;
use crate::progress::step;
use crate::run::counted;

/// Leaves the new examples and a share of the old ones of each class; the classes of
/// the model that is continued stay known. Where there is no new one, all are left,
/// and nothing is continued: false.
///
/// # Errors
///
/// When that model stands on another backbone, or tells something else.
pub(crate) fn narrow(
    examples: &mut Examples,
    delta: &Delta,
    experiment: &Experiment,
    backbone: &Backbone,
) -> Result<bool> {
    let last = &delta.last.manifest;
    let same = last.provenance.backbone.as_ref();
    ensure!(
        same.is_some_and(|origin| origin.digest == backbone.digest),
        "the last model, {}, does not stand on the backbone {}: learn anew with mode: all",
        last.version,
        backbone.description.name
    );
    let noun = examples.kind.noun();
    let items = examples.items.iter();
    let files = items.map(|item| (delta.new.contains(item.file()), item.code));
    let Some(wanted) = wanted(files, noun, experiment) else {
        step(format_args!(
            "the new files have no {noun} with a class: learning from all data"
        ));
        return Ok(false);
    };
    let mut index = 0..;
    examples
        .items
        .retain(|_| index.next().is_some_and(|index| wanted.contains(&index)));
    // An old one that is broken was told when it was new.
    examples.broken.retain(|(name, _)| delta.new.contains(name));
    examples.know(&last.labels);
    Ok(true)
}

/// The positions of the new examples and of the share `keep` of the old ones of each
/// class, rounded up; none where no one is new. Of each example is told whether it is
/// new, and its class.
pub(super) fn wanted(
    examples: impl Iterator<Item = (bool, usize)>,
    noun: &str,
    experiment: &Experiment,
) -> Option<BTreeSet<usize>> {
    let mut wanted = BTreeSet::new();
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, (is_new, code)) in examples.enumerate() {
        if is_new {
            wanted.insert(index);
        } else {
            classes.entry(code).or_default().push(index);
        }
    }
    let (new, old) = (wanted.len(), classes.values().map(Vec::len).sum::<usize>());
    if new == 0 {
        return None;
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(experiment.seed);
    for mut members in classes.into_values() {
        members.shuffle(&mut random);
        let count = (members.len() as f64 * experiment.keep).ceil() as usize;
        wanted.extend(members.into_iter().take(count));
    }
    step(format_args!(
        "learning from {}, and again from {} of {old} old ones",
        counted(new, &format!("new {noun}")),
        wanted.len() - new
    ));
    Some(wanted)
}

/// A head that is continued.
pub(crate) struct Prior {
    /// What it gives for an embedding.
    pub(crate) head: Linear,
    /// The deviation of each number in what it has learned from; 0 where that is not
    /// known. Numbers that vary little in what is new, and varied much before, must not
    /// gain weight from it.
    pub(crate) deviation: Array1<f64>,
}

impl Delta {
    /// The head of the model that is continued, for these classes; what it does not
    /// know of has weights of 0.
    ///
    /// # Errors
    ///
    /// When it has no linear head.
    pub(crate) fn prior(&self, labels: &[String], width: usize) -> Result<Prior> {
        let last = &self.last.manifest;
        let layers = backbone::head_of(&self.last.graph)
            .with_context(|| format!("cannot continue {}", last.version))?;
        let [(weights, bias)] = &layers[..] else {
            anyhow::bail!(
                "the head of the last model, {}, has a hidden layer, and only a linear one can be \
                 continued: learn anew with mode: all and search.heads: [linear]",
                last.version
            );
        };
        let shape = (width, last.labels.len());
        let weights = Array2::from_shape_vec(shape, weights.clone()).context(
            "the head of the last model has another shape; a linear one can be continued: learn \
             anew with mode: all and search.heads: [linear]",
        )?;
        let mut head = Linear {
            weights: Array2::zeros((width, labels.len())),
            bias: Array1::zeros(labels.len()),
            scale: None,
        };
        for ((label, column), bias) in last.labels.iter().zip(weights.columns()).zip(bias) {
            if let Ok(code) = labels.binary_search(label) {
                head.weights
                    .column_mut(code)
                    .assign(&column.mapv(f64::from));
                if let Some(place) = head.bias.get_mut(code) {
                    *place = f64::from(*bias);
                }
            }
        }
        let deviation = self.deviation(width)?;
        Ok(Prior { head, deviation })
    }

    fn deviation(&self, width: usize) -> Result<Array1<f64>> {
        let mut deviation = Array1::zeros(width);
        let Some(reference) = &self.last.reference else {
            return Ok(deviation);
        };
        let reference = Reference::read(reference)
            .with_context(|| format!("cannot continue {}", self.last.manifest.version))?;
        // The features of a backbone are not described, only its embedding.
        if reference.features.len() != width {
            return Ok(deviation);
        }
        for (place, feature) in deviation.iter_mut().zip(&reference.features) {
            if let Values::Numeric { moments, .. } = &feature.values {
                *place = moments[1];
            }
        }
        Ok(deviation)
    }
}
