//! The result for people: reference, image ID and size in columns.

use std::io::Write;

use anyhow::Result;

use super::build::Built;

/// Prints a line for each image on stdout.
pub(crate) fn print(rows: &[(String, Built)]) -> Result<()> {
    let width = rows.iter().map(|(reference, _)| reference.len()).max();
    let width = width.unwrap_or(0);
    let mut stdout = std::io::stdout().lock();
    for (reference, built) in rows {
        let size = size(built.size);
        writeln!(stdout, "{reference:width$}  {}  {size:>8}", built.id)?;
    }
    Ok(())
}

/// Megabytes as docker shows them: 10^6 bytes.
pub(crate) fn size(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
