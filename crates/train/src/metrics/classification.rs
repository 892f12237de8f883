//! Figures of a classification.

use ndarray::{Array2, ArrayView1};
use serde::Serialize;

use super::interval::{Interval, of_f1, wilson};
use super::{mean, share};

/// Probabilities below this count as this, so that one sure mistake does not
/// make the log loss infinite.
const LEAST_PROBABILITY: f64 = 1e-15;

/// Figures of a classification on the held-out rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Classification {
    /// The share of rows whose most probable class is the right one.
    pub(crate) accuracy: f64,
    /// The ends of the accuracy's 95 % confidence interval; null without rows.
    pub(crate) accuracy_interval: Option<Interval>,
    /// The accuracy of always answering the training part's commonest class.
    pub(crate) baseline_accuracy: f64,
    /// The mean recall of the classes that have held-out rows.
    pub(crate) balanced_accuracy: f64,
    /// The mean F1 of the classes that have held-out rows or were predicted.
    pub(crate) macro_f1: f64,
    /// The mean negative logarithm of the right class's probability.
    pub(crate) log_loss: f64,
    /// Figures of each class, in the order of the model's labels.
    pub(crate) classes: Vec<ClassMetrics>,
    /// Rows by actual class, then by predicted class, in the order of `classes`.
    pub(crate) confusion_matrix: Vec<Vec<usize>>,
}

/// Figures of one class; null where a figure would be a share of nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ClassMetrics {
    /// The class.
    pub(crate) label: String,
    /// Rows of this class in the training part.
    pub(crate) training_rows: usize,
    /// Rows of this class in the held-out part.
    pub(crate) support: usize,
    /// The share of rows predicted as this class that are of it.
    pub(crate) precision: Option<f64>,
    /// The share of rows of this class that were predicted as it.
    pub(crate) recall: Option<f64>,
    /// The harmonic mean of both.
    pub(crate) f1: Option<f64>,
    /// The ends of the 95 % confidence interval of the precision.
    pub(crate) precision_interval: Option<Interval>,
    /// The ends of that of the recall.
    pub(crate) recall_interval: Option<Interval>,
    /// The ends of that of the F1.
    pub(crate) f1_interval: Option<Interval>,
}

impl Classification {
    /// Measures `probabilities` `[rows, classes]` against the right `codes`;
    /// `training` has the training part's codes.
    pub(crate) fn measure(
        labels: &[String],
        probabilities: &Array2<f32>,
        codes: &[usize],
        training: &[usize],
    ) -> Self {
        let predicted: Vec<usize> = probabilities
            .rows()
            .into_iter()
            .map(most_probable)
            .collect();
        let mut matrix = vec![vec![0; labels.len()]; labels.len()];
        for (right, predicted) in codes.iter().zip(&predicted) {
            if let Some(cell) = matrix
                .get_mut(*right)
                .and_then(|row| row.get_mut(*predicted))
            {
                *cell += 1;
            }
        }
        let count = |codes: &[usize], class| codes.iter().filter(|code| **code == class).count();
        let classes: Vec<ClassMetrics> = labels
            .iter()
            .enumerate()
            .map(|(class, label)| {
                let hits = codes
                    .iter()
                    .zip(&predicted)
                    .filter(|(r, p)| **r == class && **p == class);
                let support = count(codes, class);
                ClassMetrics::new(
                    label,
                    count(training, class),
                    support,
                    count(&predicted, class),
                    hits.count(),
                )
            })
            .collect();
        let commonest = classes.iter().max_by_key(|class| class.training_rows);
        let right = codes.iter().zip(&predicted).filter(|(r, p)| r == p).count();
        let losses: Vec<f64> = probabilities
            .rows()
            .into_iter()
            .zip(codes)
            .map(|(row, code)| {
                -f64::from(row.get(*code).copied().unwrap_or(0.0))
                    .max(LEAST_PROBABILITY)
                    .ln()
            })
            .collect();
        Self {
            accuracy: share(right, codes.len()).unwrap_or_default(),
            accuracy_interval: wilson(right, codes.len()),
            baseline_accuracy: share(commonest.map_or(0, |c| c.support), codes.len())
                .unwrap_or_default(),
            balanced_accuracy: mean(&classes.iter().filter_map(|c| c.recall).collect::<Vec<_>>()),
            macro_f1: mean(&classes.iter().filter_map(|c| c.f1).collect::<Vec<_>>()),
            // The loss of a sure and right answer is -0, which `max` may keep.
            log_loss: mean(&losses).max(0.0) + 0.0,
            classes,
            confusion_matrix: matrix,
        }
    }
}

impl Classification {
    /// What to do about a model that is of no use, in one sentence.
    pub(crate) fn advice(&self) -> Option<String> {
        (self.accuracy <= self.baseline_accuracy).then(|| {
            "the model is no better than always answering the commonest class: the columns may say little about \
             the target; for rare classes, try `class_weights: balanced`"
                .to_owned()
        })
    }
}

impl ClassMetrics {
    /// Precision, recall and F1, each with its interval.
    pub(crate) fn figures(&self) -> [(Option<f64>, Option<Interval>); 3] {
        [
            (self.precision, self.precision_interval),
            (self.recall, self.recall_interval),
            (self.f1, self.f1_interval),
        ]
    }

    fn new(
        label: &str,
        training_rows: usize,
        support: usize,
        predicted: usize,
        hits: usize,
    ) -> Self {
        Self {
            label: label.to_owned(),
            training_rows,
            support,
            precision: share(hits, predicted),
            recall: share(hits, support),
            f1: share(2 * hits, support + predicted),
            precision_interval: wilson(hits, predicted),
            recall_interval: wilson(hits, support),
            f1_interval: of_f1(hits, support + predicted - hits),
        }
    }
}

/// The position of the highest probability; of the first, where two are equal.
pub(crate) fn most_probable(row: ArrayView1<'_, f32>) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, probability) in row.iter().enumerate() {
        if *probability > best.1 {
            best = (class, *probability);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn no_loss_is_not_below_0() {
        let labels = ["a", "b"].map(str::to_owned);
        let sure = array![[1.0, 0.0], [0.0, 1.0]];
        let measured = Classification::measure(&labels, &sure, &[0, 1], &[0, 1]);
        assert_eq!(format!("{:.4}", measured.log_loss), "0.0000");
    }

    /// Expected figures from scikit-learn 1.7 (`classification_report`).
    #[test]
    fn figures_agree_with_scikit_learn() {
        let labels = ["a", "b", "c", "d"].map(str::to_owned);
        let probabilities = array![
            [0.7, 0.2, 0.1, 0.0],
            [0.2, 0.7, 0.1, 0.0],
            [0.6, 0.3, 0.1, 0.0],
            [0.1, 0.8, 0.1, 0.0],
            [0.2, 0.5, 0.3, 0.0]
        ];
        let m = Classification::measure(
            &labels,
            &probabilities,
            &[0, 0, 1, 1, 2],
            &[0, 0, 0, 1, 2, 3],
        );
        assert_eq!(m.confusion_matrix[0], [1, 1, 0, 0]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(m.accuracy, 0.4);
        close(m.baseline_accuracy, 0.4);
        close(m.balanced_accuracy, 1.0 / 3.0);
        close(m.macro_f1, 0.3);
        close(
            m.log_loss,
            (0.7_f64.ln() + 0.2_f64.ln() + 0.3_f64.ln() + 0.8_f64.ln() + 0.3_f64.ln()) / -5.0,
        );
        assert_eq!(
            (m.classes[2].precision, m.classes[2].recall, m.classes[2].f1),
            (None, Some(0.0), Some(0.0))
        );
        assert_eq!(
            (m.classes[3].precision, m.classes[3].recall, m.classes[3].f1),
            (None, None, None)
        );
    }
}
