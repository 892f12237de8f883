//! From a request's cells to the graph's input.

use model::{Cell, RowError, Table};

/// A row of a request that does not fit the model's table.
#[derive(Debug, thiserror::Error)]
#[error("row {row}: {source}")]
pub(crate) struct BadRow {
    /// The row's number in the request, from 1.
    pub(crate) row: usize,
    /// What is wrong with it.
    pub(crate) source: RowError,
}

/// Encodes `rows` rows into one buffer of shape `[rows, columns]`, where
/// `cell(row, column)` gives the value for a column of `table`, both from 0.
///
/// # Errors
///
/// At the first value that does not fit its column.
pub(crate) fn encode<'a>(
    table: &Table,
    rows: usize,
    cell: impl Fn(usize, usize) -> Cell<'a>,
) -> Result<Vec<f32>, BadRow> {
    let width = table.columns.len();
    let mut values = Vec::with_capacity(rows * width);
    for row in 0..rows {
        let cells = (0..width).map(|column| cell(row, column));
        table
            .encode_row(cells, &mut values)
            .map_err(|source| BadRow {
                row: row + 1,
                source,
            })?;
    }
    Ok(values)
}
