//! What becomes of an experiment.

use std::collections::BTreeMap;

/// What becomes of the experiments that are created from now on.
#[derive(Debug, Clone)]
pub struct Script {
    /// The states before the end, one a look.
    pub states: Vec<String>,
    /// How it ends.
    pub outcome: Outcome,
    /// What its trial saves, in this order.
    pub checkpoints: Vec<CheckpointScript>,
    /// What its trial writes, a line each.
    pub log: Vec<String>,
    /// Makes a creation that activates answer 500 and leave the experiment paused.
    pub activation_fails: bool,
}

/// How an experiment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// `STATE_COMPLETED`.
    Completed,
    /// `STATE_ERROR`, without any checkpoint.
    Error,
    /// `STATE_PAUSED`: somebody has stopped it.
    Paused,
    /// It goes on until it is cancelled or killed.
    Endless,
}

/// One checkpoint that a trial saves.
#[derive(Debug, Clone)]
pub struct CheckpointScript {
    /// The step at which it was saved.
    pub steps: u64,
    /// The searcher's metric at that step, if it was validated. May be NaN.
    pub metric: Option<f64>,
    /// Its files by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Default for Script {
    fn default() -> Self {
        Self::completed(&[(50, Some(0.85)), (100, Some(0.91))])
    }
}

impl Script {
    /// Completes with checkpoints at these steps with these metrics.
    pub fn completed(checkpoints: &[(u64, Option<f64>)]) -> Self {
        let checkpoints = checkpoints
            .iter()
            .map(|&(steps, metric)| CheckpointScript::new(steps, metric));
        Self {
            states: ["QUEUED", "PULLING", "RUNNING"].map(str::to_owned).into(),
            outcome: Outcome::Completed,
            checkpoints: checkpoints.collect(),
            log: ["epoch 1", "epoch 2"].map(str::to_owned).into(),
            activation_fails: false,
        }
    }

    /// Ends in this way, without any checkpoint.
    pub fn ending(outcome: Outcome) -> Self {
        Self {
            outcome,
            ..Self::completed(&[])
        }
    }
}

impl CheckpointScript {
    /// A checkpoint with the files of a PyTorch trial, and a graph.
    pub fn new(steps: u64, metric: Option<f64>) -> Self {
        let metadata = format!(r#"{{"steps_completed": {steps}, "framework": "torch-2.3.0"}}"#);
        let files = [
            ("metadata.json", metadata.into_bytes()),
            ("state_dict.pth", b"not a pickle".to_vec()),
            ("code/model_def.py", b"print(1)\n".to_vec()),
            ("model.onnx", b"not a graph".to_vec()),
        ];
        let files = files.map(|(path, content)| (path.to_owned(), content));
        Self {
            steps,
            metric,
            files: files.into(),
        }
    }
}
