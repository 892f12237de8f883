//! `job.json`: what became of a job.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::local::publish;
use crate::local::repo::{self, Provenance};

/// A job, with the names that `pachctl list job --raw` has for the same things.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::local) struct Record {
    pub(in crate::local) pipeline: String,
    pub(in crate::local) id: String,
    /// `JOB_RUNNING`, `JOB_SUCCESS`, `JOB_FAILURE`, `JOB_KILLED`, `JOB_UNRUNNABLE`.
    pub(in crate::local) state: String,
    pub(in crate::local) reason: Option<String>,
    /// Seconds since 1970.
    pub(in crate::local) started: u64,
    /// Seconds since 1970.
    pub(in crate::local) finished: Option<u64>,
    pub(in crate::local) inputs: Vec<Provenance>,
    pub(in crate::local) data_processed: usize,
    pub(in crate::local) data_skipped: usize,
    pub(in crate::local) data_failed: usize,
    pub(in crate::local) data_recovered: usize,
    pub(in crate::local) data_total: usize,
    /// Why datums failed, by ID.
    pub(in crate::local) failed: BTreeMap<String, String>,
    /// The IDs of datums that failed and that `err_cmd` recovered.
    pub(in crate::local) recovered: Vec<String>,
}

impl Record {
    /// A job that has done nothing yet.
    pub(in crate::local) fn new(pipeline: &str, id: &str, state: &str, started: u64) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            id: id.to_owned(),
            state: state.to_owned(),
            reason: None,
            started,
            finished: (state != "JOB_RUNNING").then(repo::now),
            inputs: Vec::new(),
            data_processed: 0,
            data_skipped: 0,
            data_failed: 0,
            data_recovered: 0,
            data_total: 0,
            failed: BTreeMap::new(),
            recovered: Vec::new(),
        }
    }

    pub(in crate::local) fn write(&self, path: &Path) -> Result<()> {
        publish::write_json(path, self)
    }

    /// Reads `job.json`.
    pub(in crate::local) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}
