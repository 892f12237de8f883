//! What a request gives the model, whatever door it came through.

use model::{Cell, RowError, Table};

/// The decoded content of a request, of the kind that the model takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Features {
    /// Rows of the model's table one after the other, as [`encode`] gives them.
    Rows(Vec<f32>),
    /// Pictures.
    Pictures(Vec<Picture>),
    /// Texts.
    Texts(Vec<String>),
}

/// A picture in a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Picture {
    /// A whole JPEG, PNG or WebP file.
    Encoded(Vec<u8>),
    /// Red, green and blue of each pixel, row by row from the top.
    Pixels {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
        /// `3 * width * height` values.
        values: Vec<u8>,
    },
    /// What the graph takes, as the model's preprocessing has made it.
    Prepared(Vec<f32>),
}

impl Default for Features {
    /// None.
    fn default() -> Self {
        Self::Rows(Vec::new())
    }
}

impl Features {
    /// What they are, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Rows(_) => "rows",
            Self::Pictures(_) => "pictures",
            Self::Texts(_) => "texts",
        }
    }

    /// All of `parts`, which are of one kind, one after the other.
    pub(super) fn joined(parts: &[&Self]) -> Self {
        let mut parts = parts.iter();
        let mut all = parts
            .next()
            .map_or_else(Self::default, |first| (*first).clone());
        for part in parts {
            match (&mut all, part) {
                (Self::Rows(all), Self::Rows(rows)) => all.extend_from_slice(rows),
                (Self::Pictures(all), Self::Pictures(pictures)) => all.extend_from_slice(pictures),
                (Self::Texts(all), Self::Texts(texts)) => all.extend_from_slice(texts),
                _ => {}
            }
        }
        all
    }
}

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
