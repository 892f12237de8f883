//! The side of the training code: what a trial tells its master.
//!
//! A trial is either the child of a task that the cluster started, and then its
//! [`TaskEnvironment`] says who it is; or *detached*, a process anywhere that
//! reports a run with [`Client::start_detached_trial`]. Both are a [`Trial`] from
//! then on (`determined.md` §9; masters of 0.38, which have no searcher operations).

mod detached;
mod environment;
mod report;
mod store;

pub use detached::{Resumed, TrialState};
pub use environment::TaskEnvironment;
pub use report::{MetricGroup, NewCheckpoint};
pub use store::CheckpointStore;

use std::time::Duration;

use crate::Client;

/// How long one question about preemption waits for an answer, as in the SDK.
const PREEMPTION_WAIT: Duration = Duration::from_secs(60);

/// A trial that reports.
#[derive(Debug, Clone)]
pub struct Trial {
    client: Client,
    /// Its number, which is that of its run too.
    id: i64,
    /// How often it was started: reports of another start are refused.
    run: i64,
    task: String,
    /// None of a detached trial.
    allocation: Option<String>,
    /// Where its checkpoints are, once [`Trial::prepare`] has asked.
    storage: Option<i64>,
}

impl Trial {
    /// The trial of a task.
    pub fn of_task(client: Client, task: &TaskEnvironment) -> Self {
        Self {
            client,
            id: task.trial_id,
            run: task.run_id,
            task: task.task_id.clone(),
            allocation: Some(task.allocation_id.clone()),
            storage: None,
        }
    }

    /// Its number.
    pub fn id(&self) -> i64 {
        self.id
    }
}
