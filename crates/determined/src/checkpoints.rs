//! Checkpoints: what a trial saved, and which is the best.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::call::Call;
use crate::wire::{Bytes, Page, Pagination, double, or_default, wire_enum};
use crate::{Client, Error, Experiment};

wire_enum! {
    /// The state of a checkpoint. Only a completed one can be registered.
    CheckpointState {
        /// Being written.
        Active = "STATE_ACTIVE",
        /// Whole.
        Completed = "STATE_COMPLETED",
        /// Could not be written.
        Error = "STATE_ERROR",
        /// Deleted.
        Deleted = "STATE_DELETED",
        /// Some of its files are deleted.
        PartiallyDeleted = "STATE_PARTIALLY_DELETED",
    }
}

/// Files that a trial saved together.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its identity, and the name of its directory in the storage.
    pub uuid: String,
    /// Its state.
    #[serde(default, deserialize_with = "or_default")]
    pub state: CheckpointState,
    /// When it was reported, RFC 3339.
    #[serde(default, deserialize_with = "or_default")]
    pub report_time: String,
    /// The files' sizes in bytes by their path; a directory's path ends in `/`.
    #[serde(default, deserialize_with = "sizes")]
    pub resources: BTreeMap<String, u64>,
    /// What the training code noted: `steps_completed`, `framework`, `format`.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Map<String, Value>,
    /// Where it comes from.
    #[serde(default, deserialize_with = "or_default")]
    pub training: Training,
}

/// Where a checkpoint comes from and how good it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Training {
    /// The trial that saved it.
    #[serde(default)]
    pub trial_id: Option<i64>,
    /// The experiment of that trial.
    #[serde(default)]
    pub experiment_id: Option<i64>,
    /// The experiment's configuration, `checkpoint_storage` included. It may hold
    /// credentials of the storage.
    #[serde(default, deserialize_with = "or_default")]
    pub experiment_config: Value,
    /// The validation metrics reported at the same step.
    #[serde(default, deserialize_with = "or_default")]
    pub validation_metrics: Metrics,
    /// The metric of the searcher, unless no validation was reported at the step
    /// of this checkpoint. It may be NaN or infinite.
    #[serde(default, deserialize_with = "double")]
    pub searcher_metric: Option<f64>,
}

/// Metrics of a training or validation step.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Metrics {
    /// Values by name. Usually numbers; non-finite ones are texts.
    #[serde(default, deserialize_with = "or_default")]
    pub avg_metrics: Map<String, Value>,
}

impl Metrics {
    /// The values that are finite numbers, by name.
    pub fn finite(&self) -> BTreeMap<String, f64> {
        let metrics = self.avg_metrics.iter();
        let metrics = metrics.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)));
        metrics.filter(|(_, value)| value.is_finite()).collect()
    }
}

fn sizes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, u64>, D::Error> {
    let sizes: Option<BTreeMap<String, Bytes>> = Option::deserialize(deserializer)?;
    let sizes = sizes.unwrap_or_default().into_iter();
    Ok(sizes.map(|(path, size)| (path, size.0)).collect())
}

/// The outcome of [`Client::best_checkpoint`].
#[derive(Debug, Clone)]
pub enum Best {
    /// The best by the searcher's metric, which is finite.
    Scored(Box<Checkpoint>, f64),
    /// There are checkpoints, but none whose step was validated with a finite
    /// metric. This is the latest.
    Unscored(Box<Checkpoint>),
    /// There is no completed checkpoint.
    None,
}

#[derive(Deserialize)]
struct CheckpointsPage {
    #[serde(default, deserialize_with = "or_default")]
    checkpoints: Vec<Checkpoint>,
    #[serde(default, deserialize_with = "or_default")]
    pagination: Pagination,
}

impl Page for CheckpointsPage {
    type Item = Checkpoint;
    fn into_parts(self) -> (Vec<Checkpoint>, Pagination) {
        (self.checkpoints, self.pagination)
    }
}

#[derive(Deserialize)]
struct CheckpointAnswer {
    checkpoint: Checkpoint,
}

impl Client {
    /// The checkpoint with this UUID.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none.
    pub async fn checkpoint(&self, uuid: &str) -> Result<Checkpoint, Error> {
        let answer: CheckpointAnswer = self.fetch(&Call::get(&["checkpoints", uuid])).await?;
        Ok(answer.checkpoint)
    }

    /// The best completed checkpoint of an experiment.
    ///
    /// The master can order by the searcher's metric, but puts checkpoints without
    /// one last instead of leaving them out, and one whose metric is NaN makes its
    /// order arbitrary. So the whole list is read and the best chosen here; in the
    /// master's order, so that among equals its choice stands.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn best_checkpoint(&self, experiment: &Experiment) -> Result<Best, Error> {
        let id = experiment.id.to_string();
        let call = || {
            Call::get(&["experiments", &id, "checkpoints"])
                .query("states", "STATE_COMPLETED")
                .query("sortByAttr", "SORT_BY_SEARCHER_METRIC")
        };
        let all = self.pages::<CheckpointsPage>(call, |_| false).await?;
        Ok(best_of(all, experiment.smaller_is_better()))
    }
}

fn best_of(checkpoints: Vec<Checkpoint>, smaller_is_better: bool) -> Best {
    let sign = if smaller_is_better { 1.0 } else { -1.0 };
    let mut best: Option<(Checkpoint, f64)> = None;
    let mut latest: Option<Checkpoint> = None;
    for checkpoint in checkpoints {
        let metric = checkpoint.training.searcher_metric;
        if let Some(metric) = metric.filter(|m| m.is_finite()) {
            if best.as_ref().is_none_or(|(_, b)| sign * metric < sign * b) {
                best = Some((checkpoint, metric));
            }
        } else if latest
            .as_ref()
            .is_none_or(|l| l.report_time < checkpoint.report_time)
        {
            latest = Some(checkpoint);
        }
    }
    match (best, latest) {
        (Some((checkpoint, metric)), _) => Best::Scored(Box::new(checkpoint), metric),
        (None, Some(checkpoint)) => Best::Unscored(Box::new(checkpoint)),
        (None, None) => Best::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(uuid: &str, time: &str, metric: &str) -> Checkpoint {
        let text = format!(
            r#"{{"uuid":"{uuid}","reportTime":"{time}","resources":{{"a/":"0","a/b":"94"}},
                "metadata":null,"training":{{"searcherMetric":{metric},"validationMetrics":null}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn chosen(list: &[(&str, &str)], smaller: bool) -> String {
        let list = list.iter().enumerate();
        let list = list.map(|(i, (uuid, metric))| checkpoint(uuid, &format!("2026-0{i}"), metric));
        match best_of(list.collect(), smaller) {
            Best::Scored(c, metric) => format!("{} {metric}", c.uuid),
            Best::Unscored(c) => format!("unscored {}", c.uuid),
            Best::None => "none".to_owned(),
        }
    }

    #[test]
    fn the_best_is_scored_and_finite() {
        let list = [
            ("a", "\"NaN\""),
            ("b", "0.5"),
            ("c", "null"),
            ("d", "0.9"),
            ("e", "0.9"),
            ("f", "\"Infinity\""),
            ("g", "0.1"),
        ];
        assert_eq!(chosen(&list, false), "d 0.9");
        assert_eq!(chosen(&list, true), "g 0.1");
        assert_eq!(
            chosen(&[("a", "\"NaN\""), ("b", "null")], true),
            "unscored b"
        );
        assert_eq!(chosen(&[], true), "none");
    }

    #[test]
    fn sizes_are_texts_or_numbers() {
        let read = |resources: &str| {
            let text = format!(r#"{{"uuid":"u","resources":{resources}}}"#);
            serde_json::from_str::<Checkpoint>(&text).map(|c| c.resources)
        };
        assert_eq!(read(r#"{"x":"94","y":3}"#).unwrap()["x"], 94);
        assert!(read("null").unwrap().is_empty());
        assert!(read(r#"{"x":"many"}"#).is_err());
    }
}
