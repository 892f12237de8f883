//! The number that stands for one value.

use super::{Cell, CellError, Column, ColumnKind};

/// Whether a field of a CSV file holds no value: it is empty or one of the usual
/// words for that (`NA`, `N/A`, `NaN`, `null`, `None`, `?`), in any case.
pub fn is_missing(field: &str) -> bool {
    let words = ["", "na", "n/a", "nan", "null", "none", "?"];
    words
        .iter()
        .any(|word| field.trim().eq_ignore_ascii_case(word))
}

impl Column {
    /// The number that stands for `cell` in the graph's input; NaN for a missing one.
    ///
    /// # Errors
    ///
    /// When the value has the wrong type, is not finite, is an unknown category,
    /// or is missing although none was in the training data.
    pub fn encode(&self, cell: Cell<'_>) -> Result<f32, CellError> {
        match (&self.kind, cell) {
            (_, Cell::Missing) if self.missing => Ok(f32::NAN),
            (_, Cell::Missing) => Err(CellError::Missing),
            (ColumnKind::Numeric, Cell::Number(number)) => finite(number),
            (ColumnKind::Numeric, Cell::Bool(value)) => Err(CellError::NotANumber {
                got: format!("truth value {value}"),
            }),
            (ColumnKind::Numeric, Cell::Text(text)) => Err(CellError::NotANumber {
                got: format!("text {:?}", shorten(text)),
            }),
            (ColumnKind::Categorical { categories }, Cell::Text(text)) => code(categories, text),
            (ColumnKind::Categorical { categories }, Cell::Number(number)) => {
                code(categories, &number.to_string())
            }
            (ColumnKind::Categorical { categories }, Cell::Bool(value)) => {
                code(categories, if value { "true" } else { "false" })
            }
        }
    }

    /// As [`Column::encode`], for a field of a CSV file.
    ///
    /// # Errors
    ///
    /// As [`Column::encode`].
    pub fn encode_field(&self, field: &str) -> Result<f32, CellError> {
        let cell = match &self.kind {
            _ if is_missing(field) => Cell::Missing,
            ColumnKind::Categorical { .. } => Cell::Text(field.trim()),
            ColumnKind::Numeric => match field.trim().parse() {
                Ok(number) => Cell::Number(number),
                Err(_) => Cell::Text(field),
            },
        };
        self.encode(cell)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the graph's input is 32-bit"
)]
fn finite(number: f64) -> Result<f32, CellError> {
    let value = number as f32;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(CellError::NotFinite(number))
    }
}

#[expect(clippy::cast_precision_loss, reason = "no column has 2^24 categories")]
fn code(categories: &[String], text: &str) -> Result<f32, CellError> {
    match categories.binary_search_by(|category| category.as_str().cmp(text)) {
        Ok(position) => Ok(position as f32),
        Err(_) => Err(CellError::UnknownCategory {
            got: shorten(text),
            known: listed(categories),
        }),
    }
}

/// A client's text in an error message stays short.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn listed(categories: &[String]) -> String {
    const MOST: usize = 10;
    let shown: Vec<String> = categories
        .iter()
        .take(MOST)
        .map(|c| format!("{c:?}"))
        .collect();
    match categories.len().checked_sub(MOST) {
        Some(more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}
