//! How good the head is, and what is odd about the examples.

use anyhow::Result;
use fit::{select, to_probabilities};
use ndarray::Array2;

use super::choose::{self, Chosen, Training};
use super::rows::Rows;
use crate::data::Split;
use crate::experiment::Experiment;
use crate::metrics::{
    Calibration, Classification, DataFigures, Figures, LearningPoint, Metrics, Suspect, learning,
    suspects,
};

/// What a head is measured with.
pub(super) struct HeldOut<'a> {
    /// Its embeddings.
    pub(super) rows: &'a Rows<'a>,
    /// The class of each.
    pub(super) codes: &'a [usize],
    /// The names of the classes.
    pub(super) labels: &'a [String],
    /// Probabilities `[examples, classes]` of the chosen head.
    pub(super) outputs: &'a Array2<f32>,
}

impl HeldOut<'_> {
    /// The figures of the chosen head, which has learned from `training`.
    pub(super) fn metrics(
        &self,
        training: &Training<'_>,
        chosen: &Chosen,
        experiment: &Experiment,
        data: DataFigures,
    ) -> Result<Metrics> {
        let figures = self.figures(self.outputs, training.codes);
        let counts = (training.codes.len(), self.codes.len());
        let points = self.points(training, chosen, experiment)?;
        let mut metrics = Metrics::new(counts, figures, points, data);
        metrics.calibration = Some(self.calibration(chosen));
        Ok(metrics)
    }

    fn figures(&self, outputs: &Array2<f32>, training: &[usize]) -> Figures {
        let (labels, codes) = (self.labels, self.codes);
        Figures::Classification(Classification::measure(labels, outputs, codes, training))
    }

    /// The figures of heads like the chosen one that have learned from parts.
    fn points(
        &self,
        training: &Training<'_>,
        chosen: &Chosen,
        experiment: &Experiment,
    ) -> Result<Vec<LearningPoint>> {
        let parts = learning::parts(training.codes, experiment.seed);
        let point = |part: &Vec<usize>| {
            let codes = select(training.codes, part);
            let part = Training {
                rows: &select(training.rows, part),
                codes: &codes,
                groups: &select(training.groups, part),
                ..*training
            };
            let layers = choose::refit(&part, chosen, experiment)?;
            let outputs = self.rows.probabilities(&layers).mapv(|p| p as f32);
            Ok(LearningPoint::new(
                codes.len(),
                &self.figures(&outputs, &codes),
            ))
        };
        parts.iter().map(point).collect()
    }

    fn calibration(&self, chosen: &Chosen) -> Calibration {
        let mut before = self.rows.scores(&chosen.layers) * chosen.temperature;
        to_probabilities(&mut before);
        let after = self.outputs.mapv(f64::from);
        Calibration::measure(chosen.temperature, &before, &after, self.codes)
    }
}

/// Training examples whose labels the heads of the other parts doubt, by their positions
/// among all.
pub(super) fn doubted(chosen: &Chosen, split: &Split, codes: &[usize]) -> Vec<Suspect> {
    let found = suspects(&chosen.unseen, codes).into_iter();
    let found = found.filter_map(|suspect| {
        let row = split.training.get(suspect.row).copied()?;
        Some(Suspect { row, ..suspect })
    });
    found.collect()
}

/// How much a person should look at.
pub(super) fn looked_at(
    twins: &[Vec<usize>],
    suspects: &[Suspect],
    codes: &[usize],
) -> DataFigures {
    let differ = |group: &&Vec<usize>| {
        let codes = select(codes, group);
        codes.iter().any(|code| Some(code) != codes.first())
    };
    DataFigures {
        alike_rows: twins.iter().map(Vec::len).sum(),
        alike_groups: twins.len(),
        alike_groups_that_differ: twins.iter().filter(differ).count(),
        suspected_labels: Some(suspects.len()),
    }
}
