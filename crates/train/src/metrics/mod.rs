//! What the published graph achieves on the held-out rows: `metrics.json`.

mod calibration;
mod classification;
mod interval;
pub(crate) mod learning;
mod regression;
mod suspects;

use std::collections::BTreeMap;

pub(crate) use calibration::Calibration;
pub(crate) use classification::{ClassMetrics, Classification, most_probable};
pub(crate) use interval::{Interval, difference, wilson};
pub(crate) use learning::{LearningCurve, LearningPoint};
use model::Task;
pub(crate) use regression::Regression;
use serde::Serialize;
pub(crate) use suspects::{Suspect, suspects};

/// The version of the form of `metrics.json`. Keys may be added to a version,
/// never renamed or given another meaning.
const SCHEMA_VERSION: u32 = 1;

/// The figures that are one number each, as the hand-over documents name them.
const OF_CLASSIFICATION: [&str; 4] = ["accuracy", "balanced_accuracy", "log_loss", "macro_f1"];
const OF_REGRESSION: [&str; 3] = ["mae", "r2", "rmse"];

/// The names of the figures of [`Metrics::summary`]; without a task, those of both.
pub(crate) fn names(task: Option<Task>) -> Vec<&'static str> {
    match task {
        Some(Task::Classification) => OF_CLASSIFICATION.to_vec(),
        Some(Task::Regression) => OF_REGRESSION.to_vec(),
        None => [&OF_CLASSIFICATION[..], &OF_REGRESSION].concat(),
    }
}

/// The content of `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Metrics {
    schema_version: u32,
    /// How many rows the model has learned from.
    pub(crate) training_rows: usize,
    /// How many rows it was measured with.
    pub(crate) held_out_rows: usize,
    /// The figures of the task, whose name is the key `task`.
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// How far the probabilities of a classification can be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calibration: Option<Calibration>,
    /// How good models of parts of the training rows are.
    pub(crate) learning_curve: LearningCurve,
    /// What a person should look at in the data.
    pub(crate) data: DataFigures,
    /// The version before, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Previous>,
}

/// What a person should look at in the data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DataFigures {
    /// Rows that are alike or nearly so, others of their group included.
    pub(crate) alike_rows: usize,
    /// Groups of such rows.
    pub(crate) alike_groups: usize,
    /// Groups of such rows with different targets.
    pub(crate) alike_groups_that_differ: usize,
    /// Training rows whose labels a model doubts that has not seen them; null where
    /// none was asked.
    pub(crate) suspected_labels: Option<usize>,
}

/// The version before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Previous {
    /// Its name.
    pub(crate) version: String,
    /// How many rows it was measured with.
    pub(crate) held_out_rows: usize,
    /// Its figures that are one number each.
    pub(crate) figures: BTreeMap<String, f64>,
}

/// The figures of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub(crate) enum Figures {
    /// Of a classification.
    Classification(Classification),
    /// Of a regression.
    Regression(Regression),
}

impl Metrics {
    /// The metrics of a model that has learned from and was measured with so many rows,
    /// with these `figures`; those of models of parts of the rows are `learned`.
    pub(crate) fn new(
        (training_rows, held_out_rows): (usize, usize),
        figures: Figures,
        learned: Vec<LearningPoint>,
        data: DataFigures,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            training_rows,
            held_out_rows,
            learning_curve: LearningCurve::new(learned, training_rows, &figures),
            figures,
            calibration: None,
            data,
            previous: None,
        }
    }

    /// The least for the best model: the log loss, or the mean squared error.
    pub(crate) fn loss(&self) -> f64 {
        match &self.figures {
            Figures::Classification(c) => c.log_loss,
            Figures::Regression(r) => r.rmse * r.rmse,
        }
    }

    /// What to do about a model that is of no use, in one sentence.
    pub(crate) fn advice(&self) -> Option<String> {
        match &self.figures {
            Figures::Classification(c) => c.advice(),
            Figures::Regression(r) => r.advice(),
        }
    }

    /// The figures that are one number each, for the hand-over documents.
    pub(crate) fn summary(&self) -> BTreeMap<String, f64> {
        let (names, values) = match &self.figures {
            Figures::Classification(c) => {
                let values = [c.accuracy, c.balanced_accuracy, c.log_loss, c.macro_f1];
                (&OF_CLASSIFICATION[..], values.map(Some).to_vec())
            }
            Figures::Regression(r) => (&OF_REGRESSION[..], vec![Some(r.mae), r.r2, Some(r.rmse)]),
        };
        let figures = names.iter().zip(values);
        figures
            .filter_map(|(name, value)| Some(((*name).to_owned(), value?)))
            .collect()
    }
}

/// `part` of `whole`; none of nothing.
#[expect(clippy::cast_precision_loss, reason = "numbers of rows")]
pub(crate) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The mean; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "numbers of rows")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
