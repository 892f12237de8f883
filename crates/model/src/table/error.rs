//! Why rows and values are refused.

/// Why a value does not fit its column.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CellError {
    /// A text where a number belongs.
    #[error("wants a number, got the {got}")]
    NotANumber {
        /// The value with its type.
        got: String,
    },
    /// NaN or an infinity, or a number that 32-bit floating point cannot hold.
    #[error("wants a finite number below 3.4e38, got {0:?}")]
    NotFinite(f64),
    /// A text that the training data did not have.
    #[error("does not know the category {got:?}; known are {known}")]
    UnknownCategory {
        /// The value.
        got: String,
        /// The categories, shortened where there are many.
        known: String,
    },
    /// No value, and the training data had one in every row.
    #[error("wants a value: none was missing in the training data")]
    Missing,
}

/// Why a row does not fit the table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// Too few or too many values.
    #[error("got {got} values, the model takes {wanted}: {columns}")]
    Width {
        /// Values given.
        got: usize,
        /// Columns of the model.
        wanted: usize,
        /// Their names in order.
        columns: String,
    },
    /// A value that does not fit its column.
    #[error("column {column:?} (value {position} of {wanted}) {source}")]
    Cell {
        /// The column's name.
        column: String,
        /// Its position, from 1.
        position: usize,
        /// Columns of the model.
        wanted: usize,
        /// What is wrong.
        source: CellError,
    },
    /// Names that are not exactly the model's columns.
    #[error("{problem}; the model takes {columns}")]
    Names {
        /// Which name is missing, unknown or given twice.
        problem: String,
        /// The model's columns in order.
        columns: String,
    },
}
