//! The result for people: reference, image ID and size in columns.

use std::io::Write;

use anyhow::Result;

use super::plan::Job;

/// Prints a line for each image on stdout.
///
/// # Errors
/// When stdout is closed.
pub(crate) fn print(jobs: &[Job<'_>]) -> Result<()> {
    let width = jobs
        .iter()
        .map(|job| job.reference.len())
        .max()
        .unwrap_or(0);
    let mut stdout = std::io::stdout().lock();
    for job in jobs {
        if let Some(record) = &job.record {
            let size = size(record.size);
            writeln!(stdout, "{:width$}  {}  {size:>8}", job.reference, record.id)?;
        }
    }
    Ok(())
}

/// Megabytes as docker shows them: 10^6 bytes.
pub(crate) fn size(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
