//! A job as `pachctl` prints it with `--raw`: `snake_case` keys, 64-bit integers
//! as strings, and no values that are zero.

use serde::Serialize;
use serde_json::{Value, json};

/// One run of a pipeline for one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Job {
    pub(super) pipeline: String,
    /// The ID of the output commit too.
    pub(super) id: String,
    /// The version of the pipeline that runs it.
    pub(super) version: u64,
    /// As `JOB_SUCCESS`.
    pub(super) state: String,
    pub(super) reason: String,
    /// RFC 3339.
    pub(super) created: String,
    pub(super) data: Data,
}

/// How many datums a job has, by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Data {
    pub(super) processed: u64,
    pub(super) skipped: u64,
    pub(super) failed: u64,
    pub(super) total: u64,
}

impl Job {
    /// Reads a `JobInfo`.
    pub(super) fn of(info: &Value) -> Option<Self> {
        let text = |path: &str| {
            let value = info.pointer(path).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let job = Self {
            pipeline: text("/job/pipeline/name"),
            id: text("/job/id"),
            version: number(info, "pipeline_version"),
            state: text("/state"),
            reason: text("/reason"),
            created: text("/created"),
            data: Data {
                processed: number(info, "data_processed"),
                skipped: number(info, "data_skipped"),
                failed: number(info, "data_failed"),
                total: number(info, "data_total"),
            },
        };
        (!job.id.is_empty() && !job.pipeline.is_empty()).then_some(job)
    }

    /// Whether it has ended, in one way or another.
    pub(super) fn ended(&self) -> bool {
        let ends = ["JOB_SUCCESS", "JOB_FAILURE", "JOB_KILLED", "JOB_UNRUNNABLE"];
        ends.contains(&self.state.as_str())
    }

    pub(super) fn succeeded(&self) -> bool {
        self.state == "JOB_SUCCESS"
    }

    /// For people: `success`, `killed: reason`, and the datums.
    pub(super) fn summary(&self) -> String {
        let state = self.state.trim_start_matches("JOB_").to_lowercase();
        let Data {
            processed,
            skipped,
            failed,
            total,
        } = &self.data;
        let reason = match self.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        format!(
            "{state}{reason} ({processed} of {total} datums processed, {skipped} skipped, \
             {failed} failed)"
        )
    }
}

/// A 64-bit integer, which is a string in protobuf's JSON.
pub(super) fn number(value: &Value, key: &str) -> u64 {
    match value.get(key).unwrap_or(&json!(0)) {
        Value::String(text) => text.parse().unwrap_or(0),
        number => number.as_u64().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_zero() {
        let info = json!({
            "job": {"pipeline": {"project": {"name": "default"}, "name": "m"}, "id": "44"},
            "pipeline_version": "3", "state": "JOB_FAILURE", "reason": "datum 1 failed",
            "data_failed": "1", "data_total": "2",
        });
        let job = Job::of(&info).unwrap();
        assert_eq!((job.version, job.data.failed, job.data.skipped), (3, 1, 0));
        assert!(job.ended() && !job.succeeded());
        let wanted = "failure: datum 1 failed (0 of 2 datums processed, 0 skipped, 1 failed)";
        assert_eq!(job.summary(), wanted);
        assert_eq!(Job::of(&json!({"state": "JOB_SUCCESS"})), None);
    }
}
