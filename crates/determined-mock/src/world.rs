//! What the master knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::faults::Waiting;
use crate::{ArchiveFault, Request, Script, Stall};

/// The moment of everything; lines of a log count on from here.
pub(crate) const NOW: &str = "2026-01-02T03:04:05.678901Z";

/// What the master knows, and what tests may look at and change.
#[derive(Debug, Default)]
pub struct World {
    /// What becomes of the next experiments.
    pub script: Script,
    /// Experiments by number.
    pub experiments: BTreeMap<i64, Experiment>,
    /// Checkpoints in the order of their reports.
    pub checkpoints: Vec<Checkpoint>,
    /// Models in the order of their creation.
    pub models: Vec<Model>,
    /// What is wrong with the archives of checkpoints.
    pub archive_fault: Option<ArchiveFault>,
    /// After how many lines the next streams of a log are cut, one entry each.
    pub log_cuts: Vec<usize>,
    /// Where to stop answering.
    pub stall: Option<Stall>,
    /// Whether it has stopped answering.
    pub stalled: bool,
    /// Whether the next preemption signal says to stop.
    pub preempt: bool,
    /// Bodies of reported metrics, checkpoints and the like, by path.
    pub reports: Vec<(String, Value)>,
    /// What training code has reported of the trials, by their numbers.
    pub(crate) trials: BTreeMap<i64, Trial>,
    pub(crate) tokens: BTreeSet<String>,
    /// Tokens of tasks, which open the API only.
    pub(crate) allocations: BTreeSet<String>,
    pub(crate) logins: usize,
    pub(crate) faults: Vec<Waiting>,
    pub(crate) requests: Vec<Request>,
}

/// An experiment.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its number.
    pub id: i64,
    /// Its configuration as the master completed it.
    pub config: Value,
    /// Its configuration as it was sent.
    pub original: String,
    /// The files that came with it, or those of its parent.
    pub files: Value,
    /// The experiment it was forked from.
    pub parent: Option<i64>,
    /// Its state without `STATE_`.
    pub state: String,
    /// Archived experiments are found only on request.
    pub archived: bool,
    /// Reported from outside the cluster, under this identity.
    pub external_id: Option<String>,
    /// What becomes of it.
    pub script: Script,
    /// How many states have been shown.
    pub(crate) step: usize,
}

/// A checkpoint.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Its identity.
    pub uuid: String,
    /// The experiment, whose trial saved it.
    pub experiment: i64,
    /// The step.
    pub steps: u64,
    /// The searcher's metric at that step.
    pub metric: Option<f64>,
    /// Its files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What was reported of it, when training code has.
    pub(crate) report: Option<Value>,
    /// The order of its report.
    pub(crate) rank: usize,
}

/// What training code has told of a trial.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    /// How often it was started.
    pub(crate) run: i64,
    /// Its metrics that count.
    pub(crate) metrics: Vec<Metrics>,
}

/// Metrics of one step.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) group: String,
    pub(crate) run: i64,
    pub(crate) steps: i64,
    pub(crate) values: Map<String, Value>,
}

/// A registered model.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its row in the database.
    pub id: i64,
    /// What was sent at its creation.
    pub body: Value,
    /// Takes no more versions.
    pub archived: bool,
    /// Its versions, the first first.
    pub versions: Vec<Version>,
}

/// A version of a model.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its number within the model.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// Its notes.
    pub notes: String,
    /// Its checkpoint.
    pub checkpoint: String,
}

impl Model {
    /// Its name.
    pub fn name(&self) -> &str {
        self.body["name"].as_str().unwrap_or_default()
    }
}

impl Experiment {
    /// Its only trial, once that has started.
    pub(crate) fn trial(&self) -> Option<i64> {
        let waits = matches!(self.state.as_str(), "QUEUED" | "PULLING" | "STARTING");
        let never_ran = self.step == 0 && self.state == "PAUSED";
        let started = self.external_id.is_some() || !(waits || never_ran);
        started.then_some(self.id * 10)
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "COMPLETED" | "ERROR" | "CANCELED")
    }

    pub(crate) fn labels(&self) -> Vec<&str> {
        let labels = self.config["labels"].as_array();
        let labels = labels.into_iter().flatten();
        labels.filter_map(Value::as_str).collect()
    }

    pub(crate) fn smaller_is_better(&self) -> bool {
        let setting = &self.config["searcher"]["smaller_is_better"];
        setting.as_bool().unwrap_or(true)
    }

    pub(crate) fn storage(&self) -> &Value {
        &self.config["checkpoint_storage"]
    }
}

impl World {
    /// How many experiments were created, versions registered, and tokens given.
    pub fn counts(&self) -> (usize, usize, usize) {
        let versions = self.models.iter().map(|m| m.versions.len()).sum();
        (self.experiments.len(), versions, self.logins)
    }

    /// Adds an experiment that has completed, and returns its number.
    pub fn add_experiment(&mut self, config: Value) -> i64 {
        let id = self.experiments.keys().last().map_or(1, |last| last + 1);
        let experiment = Experiment {
            id,
            original: config.to_string(),
            config,
            files: Value::Null,
            parent: None,
            state: "COMPLETED".to_owned(),
            archived: false,
            external_id: None,
            script: self.script.clone(),
            step: 0,
        };
        self.experiments.insert(id, experiment);
        id
    }

    /// Registers a checkpoint as the next version of a model, which is created if
    /// there is none, and returns its number.
    pub fn add_version(&mut self, model: &str, name: &str, checkpoint: &str) -> i64 {
        if self.model(model).is_none() {
            self.models.push(Model {
                id: self.models.last().map_or(7, |last| last.id + 3),
                body: json!({"name": model, "description": "", "metadata": {}, "labels": [], "notes": ""}),
                archived: false,
                versions: Vec::new(),
            });
        }
        let found = self.models.iter_mut().find(|known| known.name() == model);
        let found = found.expect("it was just created");
        let number = found.versions.iter().map(|v| v.number).max().unwrap_or(0) + 1;
        found.versions.push(Version {
            number,
            name: name.to_owned(),
            notes: String::new(),
            checkpoint: checkpoint.to_owned(),
        });
        number
    }

    /// Adds a checkpoint to an experiment and returns its UUID.
    pub fn add_checkpoint(
        &mut self,
        experiment: i64,
        steps: u64,
        metric: Option<f64>,
        files: BTreeMap<String, Vec<u8>>,
    ) -> String {
        let rank = self.checkpoints.len();
        let uuid = format!("{:08x}-2222-4333-8444-{:012x}", rank + 1, experiment);
        self.checkpoints.push(Checkpoint {
            uuid: uuid.clone(),
            experiment,
            steps,
            metric,
            files,
            report: None,
            rank,
        });
        uuid
    }

    /// The last checkpoint that training code has reported of a trial.
    pub(crate) fn latest_checkpoint(&self, trial: i64) -> Option<&Checkpoint> {
        let of_trial = |c: &&Checkpoint| c.experiment == trial / 10 && c.report.is_some();
        self.checkpoints.iter().rfind(of_trial)
    }

    pub(crate) fn checkpoint(&self, uuid: &str) -> Option<&Checkpoint> {
        self.checkpoints.iter().find(|c| c.uuid == uuid)
    }

    pub(crate) fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|m| m.name() == name)
    }

    pub(crate) fn user() -> Value {
        json!({
            "id": 2, "username": crate::USER, "admin": false, "active": true,
            "agentUserGroup": null, "displayName": "", "modifiedAt": NOW, "remote": false,
            "lastAuthAt": NOW,
        })
    }
}

/// The moment of a log's line: two lines share one.
pub(crate) fn moment(line: usize) -> String {
    format!("2026-01-02T03:04:05.{:06}Z", line / 2)
}
