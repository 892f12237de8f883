//! What the programs of a job have printed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, Result};

use super::find;
use crate::local::job::Record;
use crate::report;

pub(super) fn show(root: &Path, job: &str) -> Result<()> {
    let found = find(root, "jobs", "", job)?;
    let record = Record::read(&found.path.join("job.json"))?;
    let reason = record.reason.map(|reason| format!(": {reason}"));
    report::status(
        "Job",
        format!(
            "{}@{} of {}, {}{}",
            found.owner,
            found.id,
            found.use_case,
            record.state,
            reason.unwrap_or_default()
        ),
    );
    let log = found.path.join("log");
    match File::open(&log) {
        Ok(mut log) => drop(io::copy(&mut log, &mut io::stdout().lock())?),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", log.display())),
    }
    Ok(())
}
