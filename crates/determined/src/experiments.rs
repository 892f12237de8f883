//! Experiments: creating, finding, looking at and stopping them.

use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::wire::{Page, Pagination, double, or_default, wire_enum};
use crate::{Client, ContextFile, Error, check_name};

/// An upload may be 96 MiB, which the master unpacks and stores before it answers.
const CREATE_TIMEOUT: Duration = Duration::from_secs(600);

wire_enum! {
    /// The state of an experiment. What to do about it says [`State::phase`].
    State {
        /// Not started, or stopped by a person.
        Paused = "STATE_PAUSED",
        /// Running, as masters before 0.19.4 say.
        Active = "STATE_ACTIVE",
        /// Waits for resources.
        Queued = "STATE_QUEUED",
        /// The image is being pulled.
        Pulling = "STATE_PULLING",
        /// The container starts.
        Starting = "STATE_STARTING",
        /// Training.
        Running = "STATE_RUNNING",
        /// Ends well.
        StoppingCompleted = "STATE_STOPPING_COMPLETED",
        /// Ends as it was cancelled.
        StoppingCanceled = "STATE_STOPPING_CANCELED",
        /// Ends as it failed.
        StoppingError = "STATE_STOPPING_ERROR",
        /// Ends as it was killed.
        StoppingKilled = "STATE_STOPPING_KILLED",
        /// Ended well, maybe without a checkpoint.
        Completed = "STATE_COMPLETED",
        /// Was cancelled or killed.
        Canceled = "STATE_CANCELED",
        /// Failed.
        Error = "STATE_ERROR",
        /// Was deleted.
        Deleted = "STATE_DELETED",
        /// Is being deleted.
        Deleting = "STATE_DELETING",
        /// Could not be deleted.
        DeleteFailed = "STATE_DELETE_FAILED",
    }
}

/// What a [`State`] means for somebody who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It will go on by itself.
    InProgress,
    /// It goes on when a person, or [`Client::activate_experiment`], says so.
    Paused,
    /// Ended well.
    Completed,
    /// Ended otherwise.
    Failed,
}

impl State {
    /// What it means for somebody who waits. An unknown state is in progress.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Completed => Phase::Completed,
            Self::Canceled | Self::Error | Self::Deleted | Self::Deleting | Self::DeleteFailed => {
                Phase::Failed
            }
            Self::Paused => Phase::Paused,
            _ => Phase::InProgress,
        }
    }
}

/// One submitted job: configuration and code, which becomes one or more trials.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Experiment {
    /// Its number.
    pub id: i64,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its state.
    #[serde(default, deserialize_with = "or_default")]
    pub state: State,
    /// Its labels, a set.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// How far it is, 0 to 1, when that is known.
    #[serde(default, deserialize_with = "double")]
    pub progress: Option<f64>,
    /// Its trials, empty until the first one starts.
    #[serde(default, deserialize_with = "or_default")]
    pub trial_ids: Vec<i64>,
    /// The experiment that it was forked from.
    #[serde(default)]
    pub forked_from: Option<i64>,
    /// The configuration, with the defaults of workspace and master merged in.
    #[serde(default, deserialize_with = "or_default")]
    pub config: Value,
}

impl Experiment {
    /// The metric by which checkpoints are compared.
    pub fn searcher_metric(&self) -> Option<&str> {
        self.config.pointer("/searcher/metric")?.as_str()
    }

    /// Whether the better checkpoint has the smaller metric; so by default.
    pub fn smaller_is_better(&self) -> bool {
        let setting = self.config.pointer("/searcher/smaller_is_better");
        setting.and_then(Value::as_bool).unwrap_or(true)
    }
}

/// What [`Client::create_experiment`] submits.
#[derive(Debug, Clone, Default)]
pub struct NewExperiment {
    /// The configuration: a mapping as in an `experiment.yaml`. Unknown keys are
    /// refused by the master.
    pub config: Value,
    /// The code, as [`context_directory`](crate::context_directory) reads it.
    pub model_definition: Vec<ContextFile>,
    /// Starts it; otherwise it stays paused.
    pub activate: bool,
    /// Forks that experiment. The master then takes the parent's stored code and
    /// ignores [`model_definition`](Self::model_definition).
    pub parent_id: Option<i64>,
}

/// The answer to a creation.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Created {
    /// The experiment.
    pub experiment: Experiment,
    /// What the master warns about: `LAUNCH_WARNING_CURRENT_SLOTS_EXCEEDED`.
    #[serde(default, deserialize_with = "or_default")]
    pub warnings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateRequest<'a> {
    config: String,
    model_definition: &'a [ContextFile],
    activate: bool,
    validate_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<i64>,
}

/// A configuration as text. JSON is YAML, and no YAML writer has to quote right.
pub(crate) fn config_text(config: &Value) -> Result<String, Error> {
    if !config.is_object() {
        let reason = "it is not a mapping of keys to values";
        return Err(Error::setting("experiment configuration", "", reason));
    }
    if let Some(labels) = config.get("labels").and_then(Value::as_array) {
        for label in labels.iter().filter_map(Value::as_str) {
            check_name("label", label)?;
        }
    }
    Ok(config.to_string())
}

#[derive(Deserialize)]
struct ExperimentAnswer {
    experiment: Experiment,
    #[serde(default, rename = "jobSummary")]
    job: Option<Job>,
}

/// An experiment's place in the queue of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Job {
    /// How many jobs are before it.
    #[serde(default, deserialize_with = "or_default")]
    pub jobs_ahead: i64,
}

#[derive(Deserialize)]
struct ExperimentsPage {
    #[serde(default, deserialize_with = "or_default")]
    experiments: Vec<Experiment>,
    #[serde(default, deserialize_with = "or_default")]
    pagination: Pagination,
}

impl Page for ExperimentsPage {
    type Item = Experiment;
    fn into_parts(self) -> (Vec<Experiment>, Pagination) {
        (self.experiments, self.pagination)
    }
}

#[derive(Deserialize)]
struct Empty {}

impl Client {
    /// Submits an experiment.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the master's words when the configuration is
    /// invalid. [`Error::Uncertain`] when the answer was lost: look for the
    /// experiment by its labels ([`Client::experiments_with_labels`]) before
    /// submitting again. [`Error::Setting`] when a label cannot be used.
    pub async fn create_experiment(&self, new: &NewExperiment) -> Result<Created, Error> {
        self.fetch(&create_call(new, false)?.timeout(CREATE_TIMEOUT))
            .await
    }

    /// Lets the master check an experiment without creating it. It checks
    /// configuration, project, pool and policies, but neither that the cluster is
    /// large enough nor that the checkpoint of a warm start exists.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the master's words when it is invalid.
    pub async fn validate_experiment(&self, new: &NewExperiment) -> Result<(), Error> {
        let call = create_call(new, true)?.repeatable().timeout(CREATE_TIMEOUT);
        self.fetch::<Value>(&call).await.map(drop)
    }

    /// The experiment with a number.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none, or this user may not see it.
    pub async fn experiment(&self, id: i64) -> Result<Experiment, Error> {
        Ok(self.experiment_and_job(id).await?.0)
    }

    /// The experiment with a number, and its place in the queue if it waits.
    ///
    /// # Errors
    ///
    /// As [`Client::experiment`].
    pub async fn experiment_and_job(&self, id: i64) -> Result<(Experiment, Option<Job>), Error> {
        let call = Call::get(&["experiments", &id.to_string()]);
        let answer: ExperimentAnswer = self.fetch(&call).await?;
        Ok((answer.experiment, answer.job))
    }

    /// The experiments that have all of these labels and are not archived, the
    /// newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] when a label cannot be used, or there is none: every
    /// experiment has all of no labels.
    pub async fn experiments_with_labels(&self, labels: &[&str]) -> Result<Vec<Experiment>, Error> {
        if labels.is_empty() {
            return Err(Error::setting("list of labels", "", "it is empty"));
        }
        for label in labels {
            check_name("label", label)?;
        }
        // No filter by state: the master compares stored states, among which
        // queued to running do not exist.
        let call = || {
            let call = Call::get(&["experiments"])
                .query("sortBy", "SORT_BY_ID")
                .query("orderBy", "ORDER_BY_DESC")
                .query("archived", "false");
            labels.iter().fold(call, |c, &l| c.query("labels", l))
        };
        self.pages::<ExperimentsPage>(call, |_| false).await
    }

    /// Starts a paused experiment.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it is unknown or archived.
    pub async fn activate_experiment(&self, id: i64) -> Result<(), Error> {
        self.tell(id, "activate").await
    }

    /// Stops an experiment; its trials save a checkpoint first. One that has
    /// ended stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it is unknown or archived.
    pub async fn cancel_experiment(&self, id: i64) -> Result<(), Error> {
        self.tell(id, "cancel").await
    }

    /// Stops an experiment at once.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it is unknown or archived.
    pub async fn kill_experiment(&self, id: i64) -> Result<(), Error> {
        self.tell(id, "kill").await
    }

    async fn tell(&self, id: i64, verb: &str) -> Result<(), Error> {
        let call = Call::api(Method::POST, &["experiments", &id.to_string(), verb]);
        self.fetch::<Empty>(&call.repeatable()).await.map(drop)
    }
}

fn create_call(new: &NewExperiment, validate_only: bool) -> Result<Call, Error> {
    Call::post(&["experiments"]).body(&CreateRequest {
        config: config_text(&new.config)?,
        model_definition: &new.model_definition,
        activate: new.activate,
        validate_only,
        parent_id: new.parent_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_classed_and_unknown_ones_go_on() {
        let phase = |text: &str| State::from(text.to_owned()).phase();
        assert_eq!(phase("STATE_COMPLETED"), Phase::Completed);
        assert_eq!(phase("STATE_STOPPING_COMPLETED"), Phase::InProgress);
        assert_eq!(phase("STATE_DELETE_FAILED"), Phase::Failed);
        assert_eq!(phase("STATE_PAUSED"), Phase::Paused);
        assert_eq!(phase("STATE_DREAMING"), Phase::InProgress);
        let words = State::from("STATE_STOPPING_ERROR".to_owned()).to_string();
        assert_eq!(words, "stopping error");
    }

    #[test]
    fn an_experiment_survives_nulls_and_what_is_new() {
        let text = r#"{"id":7,"name":null,"labels":null,"progress":null,"trialIds":null,
            "state":"STATE_DREAMING","endTime":null,"forkedFrom":null,"config":null,"new":{}}"#;
        let experiment: Experiment = serde_json::from_str(text).unwrap();
        assert_eq!(experiment.state, State::Other("STATE_DREAMING".to_owned()));
        assert!(experiment.smaller_is_better() && experiment.searcher_metric().is_none());
        assert!(serde_json::from_str::<Experiment>(r#"{"id":7}"#).is_ok());
    }
}
