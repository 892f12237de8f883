//! What has to be done with one pipeline, and why.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::diff::{self, Change};
use super::job::number;
use super::pachctl::Send;
use crate::descriptor::Descriptor;

/// A pipeline and what is to be done with it.
pub(super) struct Step {
    pub(super) descriptor: Descriptor,
    /// None when the cluster has it as the file says.
    pub(super) send: Option<Send>,
    /// Why, for people.
    pub(super) reasons: Vec<String>,
    pub(super) changes: Vec<Change>,
    pub(super) running: Option<Running>,
}

/// A pipeline as the cluster runs it.
pub(super) struct Running {
    pub(super) version: u64,
    /// As `PIPELINE_STANDBY`.
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) stopped: bool,
    /// State of the newest job, as `JOB_RUNNING`.
    pub(super) last_job: String,
    specification: Value,
}

impl Step {
    /// Decides by the file and by what is running.
    pub(super) fn decide(descriptor: Descriptor, running: Option<Running>, again: bool) -> Self {
        let mut step = Self {
            descriptor,
            send: None,
            reasons: Vec::new(),
            changes: Vec::new(),
            running,
        };
        let Some(running) = &step.running else {
            step.send = Some(Send::Create);
            step.reasons.push("it is not there".to_owned());
            return step;
        };
        step.changes = diff::changes(&running.specification, &step.descriptor.fields);
        step.reasons.extend(step.changes.iter().map(reason));
        let every = step.descriptor.spec.reprocess_spec.as_deref() == Some("every_job");
        let program = step.changes.iter().any(|change| is_argument(&change.path));
        let (send, why) = if again {
            (Some(Send::Reprocess), Some("--reprocess asks for it"))
        } else if step.changes.is_empty() {
            (None, Some("it is as the file says"))
        } else if program && !every && step.descriptor.runs("deploy") {
            let why = "it deploys, and an update alone would skip what is processed";
            (Some(Send::Reprocess), Some(why))
        } else {
            (Some(Send::Update), None)
        };
        step.send = send;
        step.reasons.extend(why.map(str::to_owned));
        if step.send == Some(Send::Update) && !every && program {
            step.reasons.push(format!(
                "what is processed stays as it is, unless --reprocess {} is given",
                step.descriptor.name()
            ));
        }
        let job = running.last_job.as_str();
        if step.send.is_some() && ["JOB_STARTING", "JOB_RUNNING"].contains(&job) {
            step.reasons.push("this ends its running job".to_owned());
        }
        if step.send.is_some() && running.stopped {
            step.reasons.push("it stays stopped".to_owned());
        }
        step
    }

    /// `create`, `update`, `reprocess` or `keep`.
    pub(super) fn word(&self) -> &'static str {
        match self.send {
            Some(Send::Create) => "create",
            Some(Send::Update) => "update",
            Some(Send::Reprocess) => "reprocess",
            None => "keep",
        }
    }

    /// The file, as seen from the workspace.
    pub(super) fn file(&self, root: &Path) -> String {
        let file = &self.descriptor.file;
        file.strip_prefix(root)
            .unwrap_or(file)
            .display()
            .to_string()
    }
}

impl Running {
    /// Reads a `PipelineInfo`.
    pub(super) fn of(info: &Value) -> Result<Self> {
        let text = |key: &str| {
            let value = info.get(key).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Ok(Self {
            version: number(info, "version"),
            state: text("state"),
            reason: text("reason"),
            stopped: info.get("stopped").and_then(Value::as_bool) == Some(true),
            last_job: text("last_job_state"),
            specification: diff::specification(info)?,
        })
    }
}

fn reason(change: &Change) -> String {
    let side = |value: &Value| match value {
        Value::Null => "not set".to_owned(),
        value => value.to_string(),
    };
    let Change {
        path,
        cluster,
        file,
    } = change;
    format!("{path} is {} and becomes {}", side(cluster), side(file))
}

/// Whether a field decides what the program does with a datum, besides the
/// image: pachd's datum hash knows none of them.
fn is_argument(path: &str) -> bool {
    path.starts_with("transform.") && path != "transform.image" || path == "transform"
}
