//! What a trial reports, and what it is asked to do.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{PREEMPTION_WAIT, Trial};
use crate::call::Call;
use crate::wire::or_default;
use crate::{Client, Error};

/// What metrics are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricGroup {
    /// The data that is learned from.
    Training,
    /// Other data. The searcher's metric must be among these.
    Validation,
}

/// A checkpoint whose files are stored.
#[derive(Debug, Clone)]
pub struct NewCheckpoint {
    /// Its identity, the name of its directory in the storage.
    pub uuid: String,
    /// The files' sizes in bytes by their path.
    pub resources: BTreeMap<String, u64>,
    /// The step at which it was saved. It has a score if a validation is reported
    /// at the same step.
    pub steps_completed: u64,
    /// What else is noted about it.
    pub metadata: Map<String, Value>,
}

impl NewCheckpoint {
    /// Everything that is noted about it, `steps_completed` included.
    pub fn metadata(&self) -> Map<String, Value> {
        let mut all = self.metadata.clone();
        all.insert("steps_completed".to_owned(), self.steps_completed.into());
        all
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Prepared {
    #[serde(default)]
    storage_id: Option<i64>,
}

#[derive(Deserialize)]
struct Signal {
    #[serde(default, deserialize_with = "or_default")]
    preempt: bool,
}

#[derive(Deserialize)]
struct Empty {}

impl Trial {
    /// Tells the master where the checkpoints will be: `storage` is the key
    /// `checkpoint_storage` of the experiment's configuration.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn prepare(&mut self, storage: &Value) -> Result<(), Error> {
        let body = json!({"runId": self.id, "checkpointStorage": storage});
        // The same storage has the same number.
        let call = Call::post(&["runs", "start"]).body(&body)?.repeatable();
        let prepared: Prepared = self.client.fetch(&call).await?;
        self.storage = prepared.storage_id;
        Ok(())
    }

    /// Reports metrics after a step.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when the trial has been started again meanwhile.
    pub async fn report_metrics(
        &self,
        group: MetricGroup,
        steps_completed: u64,
        metrics: &BTreeMap<String, f64>,
    ) -> Result<(), Error> {
        let values: Map<String, Value> = metrics
            .iter()
            .map(|(name, value)| (name.clone(), number(*value)))
            .collect();
        let body = json!({
            "group": group,
            "metrics": {
                "trialId": self.id, "trialRunId": self.run, "stepsCompleted": steps_completed,
                "metrics": {"avgMetrics": values},
            },
        });
        let call = Call::post(&["trials", &self.id.to_string(), "metrics"]).body(&body)?;
        match self.client.fetch::<Empty>(&call).await {
            Err(Error::Uncertain { .. }) => {}
            answer => return answer.map(drop),
        }
        match self.client.fetch::<Empty>(&call).await {
            // master/internal/db/postgres_trial_metrics.go, shallowUnionMetrics: the
            // first time did take effect.
            Err(Error::Refused(answer)) if answer.message.contains("overwriting existing") => {
                Ok(())
            }
            answer => answer.map(drop),
        }
    }

    /// Reports how far it is, 0 to 1.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn report_progress(&self, progress: f64) -> Result<(), Error> {
        let body = json!({"trialId": self.id, "progress": progress, "isRaw": true});
        self.tell(&["progress"], &body).await
    }

    /// Reports what it is doing, in a word.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn report_status(&self, status: &str) -> Result<(), Error> {
        self.tell(&["runner", "metadata"], &json!({"state": status}))
            .await
    }

    /// Says that the hyperparameters make no sense, so that it is not started again.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn report_invalid_hyperparameters(&self) -> Result<(), Error> {
        let body = json!({"reason": "EXITED_REASON_INVALID_HP"});
        self.tell(&["early_exit"], &body).await
    }

    /// Reports a checkpoint. Once only, whatever becomes of the answer: the master
    /// has no second one with the same UUID.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn report_checkpoint(&self, new: &NewCheckpoint) -> Result<(), Error> {
        let resources: BTreeMap<&String, String> = new
            .resources
            .iter()
            .map(|(path, size)| (path, size.to_string()))
            .collect();
        let body = json!({
            "uuid": new.uuid, "taskId": self.task, "allocationId": self.allocation,
            "storageId": self.storage, "state": "STATE_COMPLETED",
            "reportTime": humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            "resources": resources, "metadata": new.metadata(), "training": {},
        });
        let call = Call::post(&["checkpoints"]).body(&body)?;
        match self.client.fetch::<Empty>(&call).await {
            Err(Error::Uncertain { .. }) => {}
            answer => return answer.map(drop),
        }
        match self.client.checkpoint(&new.uuid).await {
            Err(Error::NotFound(_)) => self.client.fetch::<Empty>(&call).await.map(drop),
            found => found.map(drop),
        }
    }

    /// Waits until the master wants the resources of the task back: then
    /// [acknowledge](Trial::acknowledge_preemption) that, save and end; the task is
    /// started again later.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] of a detached trial, which nobody preempts.
    pub async fn preempted(&self) -> Result<(), Error> {
        while !self.is_preempted(PREEMPTION_WAIT.as_secs()).await? {}
        Ok(())
    }

    /// Whether the master wants the resources back now.
    ///
    /// # Errors
    ///
    /// As [`Trial::preempted`].
    pub async fn is_preempted_now(&self) -> Result<bool, Error> {
        self.is_preempted(0).await
    }

    async fn is_preempted(&self, seconds: u64) -> Result<bool, Error> {
        let path = ["allocations", self.allocation()?, "signals", "preemption"];
        let wait = PREEMPTION_WAIT + self.client.patience();
        let call = Call::get(&path)
            .query("timeoutSeconds", seconds.to_string())
            .timeout(wait);
        let signal: Signal = self.client.fetch(&call).await?;
        Ok(signal.preempt)
    }

    /// Says that it is about to end, as it was asked to.
    ///
    /// # Errors
    ///
    /// As [`Trial::preempted`].
    pub async fn acknowledge_preemption(&self) -> Result<(), Error> {
        let allocation = self.allocation()?;
        let path = ["allocations", allocation, "signals", "ack_preemption"];
        let body = json!({"allocationId": allocation});
        let call = Call::post(&path).body(&body)?.repeatable();
        self.client.fetch::<Empty>(&call).await.map(drop)
    }

    fn allocation(&self) -> Result<&str, Error> {
        let reason = "it has no allocation";
        self.allocation
            .as_deref()
            .ok_or_else(|| Error::setting("detached trial", &self.id.to_string(), reason))
    }

    /// A report that may be sent twice: the last one counts.
    async fn tell(&self, path: &[&str], body: &Value) -> Result<(), Error> {
        let id = self.id.to_string();
        let path = [&["trials", id.as_str()], path].concat();
        let call = Call::post(&path).body(body)?.repeatable();
        self.client.fetch::<Empty>(&call).await.map(drop)
    }

    /// The client that it reports through.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// A number as the master takes it: what JSON cannot write is a text.
fn number(value: f64) -> Value {
    match value {
        v if v.is_nan() => "NaN".into(),
        v if v == f64::INFINITY => "Infinity".into(),
        v if v == f64::NEG_INFINITY => "-Infinity".into(),
        v => v.into(),
    }
}
