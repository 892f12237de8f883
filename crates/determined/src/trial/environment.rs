//! What a task's environment says.

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::{Credentials, Error, Settings, Tls};

/// Who a task is, as its variables say (`determined.md` §9). Its tokens are in no
/// `Debug` output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskEnvironment {
    /// How the master is reached, with the token of the allocation.
    pub settings: Settings,
    /// The trial's number.
    pub trial_id: i64,
    /// How often the trial was started.
    pub run_id: i64,
    /// The task.
    pub task_id: String,
    /// The allocation: this one placement of the task.
    pub allocation_id: String,
    /// The whole configuration of the experiment.
    pub config: Value,
    /// The hyperparameters that the searcher chose.
    pub hparams: Map<String, Value>,
    /// The checkpoint to resume at, or to start warm from.
    pub latest_checkpoint: Option<String>,
}

impl TaskEnvironment {
    /// Reads the variables; `variable` is usually `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    ///
    /// When one is missing, as everywhere but in a task of a trial, or cannot be
    /// read.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let want = |name: &'static str| {
            let reason = "it is not set: this is no task of a trial";
            get(name).ok_or_else(|| Error::setting("variable", name, reason))
        };
        let number = |name: &'static str| {
            let text = want(name)?;
            text.parse()
                .map_err(|e| Error::setting(name, &text, format!("{e}")))
        };
        let token: SecretString = want("DET_SESSION_TOKEN")?.into();
        // The allocation's token is the only one that the reports need.
        let address = want("DET_MASTER")?.parse()?;
        let mut settings = Settings::new(address, Credentials::Allocation(token));
        settings.tls = Tls::from_settings(
            get("DET_MASTER_CERT_FILE").as_deref(),
            get("DET_MASTER_CERT_NAME").as_deref(),
        );
        Ok(Self {
            settings,
            trial_id: number("DET_TRIAL_ID")?,
            run_id: number("DET_TRIAL_RUN_ID")?,
            task_id: want("DET_TASK_ID")?,
            allocation_id: want("DET_ALLOCATION_ID")?,
            config: json("DET_EXPERIMENT_CONFIG", &want("DET_EXPERIMENT_CONFIG")?)?,
            hparams: json(
                "DET_HPARAMS",
                &get("DET_HPARAMS").unwrap_or("{}".to_owned()),
            )?,
            latest_checkpoint: get("DET_LATEST_CHECKPOINT"),
        })
    }
}

/// The configuration may hold secrets, so the error does not repeat it.
fn json<T: serde::de::DeserializeOwned>(name: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| {
        let reason = format!("it is not the JSON that a task gets: {e}");
        Error::setting("variable", name, reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: [(&str, &str); 9] = [
        ("DET_MASTER", "https://det.example:8443"),
        ("DET_SESSION_TOKEN", "s3ss10n"),
        ("DET_USER_TOKEN", "us3r"),
        ("DET_TRIAL_ID", "10"),
        ("DET_TRIAL_RUN_ID", "2"),
        ("DET_TASK_ID", "10.ab"),
        ("DET_ALLOCATION_ID", "10.ab.2"),
        ("DET_EXPERIMENT_CONFIG", r#"{"data": null}"#),
        ("DET_HPARAMS", r#"{"l2": 3}"#),
    ];

    fn read(without: &str) -> Result<TaskEnvironment, Error> {
        TaskEnvironment::from_variables(|name| {
            let found = TASK.iter().find(|(key, _)| *key == name && name != without);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_task_knows_who_it_is() {
        let task = read("").unwrap();
        assert_eq!((task.trial_id, task.run_id), (10, 2));
        assert_eq!(
            task.settings.address.to_string(),
            "https://det.example:8443"
        );
        assert_eq!(task.hparams["l2"], 3);
        assert_eq!(task.latest_checkpoint, None);
        let shown = format!("{task:?}");
        assert!(
            !shown.contains("s3ss10n") && !shown.contains("us3r"),
            "{shown}"
        );
        assert!(read("DET_HPARAMS").unwrap().hparams.is_empty());
    }

    #[test]
    fn elsewhere_the_missing_variable_is_named() {
        for name in ["DET_MASTER", "DET_SESSION_TOKEN", "DET_TRIAL_RUN_ID"] {
            let message = read(name).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
