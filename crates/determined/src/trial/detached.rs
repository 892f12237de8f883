//! Runs that happen outside of the cluster, while the master records them.

use std::fmt;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Trial;
use crate::call::Call;
use crate::experiments::config_text;
use crate::wire::or_default;
use crate::{Client, Error, Experiment, check_name};

/// What a detached trial says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialState {
    /// It trains.
    Running,
    /// It has ended well.
    Completed,
    /// It has failed.
    Error,
}

impl fmt::Display for TrialState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "STATE_RUNNING",
            Self::Completed => "STATE_COMPLETED",
            Self::Error => "STATE_ERROR",
        })
    }
}

/// What an earlier start of a detached trial has left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resumed {
    /// The last checkpoint that it reported.
    pub latest_checkpoint: Option<String>,
}

#[derive(Deserialize)]
struct ExperimentAnswer {
    experiment: Experiment,
}

#[derive(Deserialize)]
struct TrialAnswer {
    trial: Described,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    id: i64,
    #[serde(default, deserialize_with = "or_default")]
    task_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    trial_run_id: i64,
    #[serde(default, deserialize_with = "or_default")]
    latest_checkpoint: Option<String>,
}

impl Client {
    /// The detached experiment with this identity, which is created if there is
    /// none. The master keeps the configuration of the first time.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] when the identity cannot be used; [`Error::Refused`] when
    /// the configuration is invalid.
    pub async fn ensure_detached_experiment(
        &self,
        external_id: &str,
        config: &Value,
    ) -> Result<Experiment, Error> {
        check_name("external ID", external_id)?;
        let path = ["experiments", "by-external-id", external_id];
        let body = json!({"config": config_text(config)?, "unmanaged": true});
        let call = Call::api(Method::PUT, &path).body(&body)?.repeatable();
        let answer: ExperimentAnswer = self.fetch(&call).await?;
        Ok(answer.experiment)
    }

    /// Starts the trial with this identity, which is created if there is none. A
    /// start ends the one before: its process can report no longer.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such experiment.
    pub async fn start_detached_trial(
        &self,
        experiment: i64,
        external_id: &str,
        hparams: &Map<String, Value>,
    ) -> Result<(Trial, Resumed), Error> {
        let body = json!({
            "createTrialRequest": {
                "experimentId": experiment, "hparams": hparams, "unmanaged": true,
            },
            "externalTrialId": external_id,
        });
        let call = Call::api(Method::PUT, &["trials"])
            .body(&body)?
            .repeatable();
        let TrialAnswer { trial } = self.fetch(&call).await?;
        let body = json!({"trialId": trial.id, "resume": true});
        let path = ["trials", &trial.id.to_string(), "start"];
        let call = Call::post(&path).body(&body)?.repeatable();
        let started: Started = self.fetch(&call).await?;
        let resumed = Resumed {
            latest_checkpoint: started.latest_checkpoint,
        };
        let trial = Trial {
            client: self.clone(),
            id: trial.id,
            run: started.trial_run_id,
            task: trial.task_id,
            allocation: None,
            storage: None,
        };
        Ok((trial, resumed))
    }
}

impl Trial {
    /// Says what a detached trial is doing; its experiment follows.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn report_state(&self, state: TrialState) -> Result<(), Error> {
        self.patch(&json!({"trialId": self.id, "state": state.to_string()}))
            .await
    }

    /// Says that a detached trial is alive. After five minutes without a word the
    /// master takes it for failed.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn heartbeat(&self) -> Result<(), Error> {
        self.patch(&json!({"trialId": self.id})).await
    }

    async fn patch(&self, body: &Value) -> Result<(), Error> {
        let path = ["trials", &self.id.to_string()];
        let call = Call::api(Method::PATCH, &path).body(body)?.repeatable();
        self.client.fetch::<Value>(&call).await.map(drop)
    }
}
