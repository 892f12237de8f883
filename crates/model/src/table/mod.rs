//! From the raw values of a table's row to the numbers that the graph takes.
//!
//! The graph's input `columns` has the shape `[rows, columns]` and holds, for a
//! numeric column, the number, and for a categorical one, the position of the
//! value in the column's categories. A missing value is NaN in both. Everything
//! after that (imputation, scaling, one-hot encoding) is inside the graph.

use serde::{Deserialize, Serialize};

mod encode;
mod error;
#[cfg(test)]
mod tests;

pub use encode::is_missing;
pub use error::{CellError, RowError};

/// The columns that a model takes, in the order of the graph's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The columns by position.
    pub columns: Vec<Column>,
}

/// One column that a model takes.
///
/// Unknown keys cannot be denied here: the kind lies in the same object, and its
/// keys would be denied with them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The name in the header of the training data.
    pub name: String,
    /// What its values are.
    #[serde(flatten)]
    pub kind: ColumnKind,
    /// Whether values were missing in the training data. Only then has the model
    /// learned what a missing value means, and accepts one.
    #[serde(default)]
    pub missing: bool,
}

/// What the values of a column are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ColumnKind {
    /// Numbers.
    Numeric,
    /// One of a fixed set of texts.
    Categorical {
        /// The texts, sorted; a value's position is its code in the graph's input.
        categories: Vec<String>,
    },
}

/// A raw value, as a client or a CSV file gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value: `null` in JSON, an empty field in CSV.
    Missing,
    /// A number.
    Number(f64),
    /// A truth value, which stands for the category `true` or `false`.
    Bool(bool),
    /// A text.
    Text(&'a str),
}

impl Table {
    /// The columns' names in order, for people.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        names.join(", ")
    }

    /// Whether rows of `got` values fit the table.
    ///
    /// # Errors
    ///
    /// [`RowError::Width`], when the model takes more or fewer.
    pub fn check_width(&self, got: usize) -> Result<(), RowError> {
        let wanted = self.columns.len();
        if got == wanted {
            return Ok(());
        }
        let columns = self.names();
        Err(RowError::Width {
            got,
            wanted,
            columns,
        })
    }

    /// Appends the encoded `row`, given in the order of the columns, to `out`.
    ///
    /// # Errors
    ///
    /// When the row is too short or too long, or a value does not fit its column.
    /// `out` then holds part of the row.
    pub fn encode_row<'a, I>(&self, row: I, out: &mut Vec<f32>) -> Result<(), RowError>
    where
        I: ExactSizeIterator<Item = Cell<'a>>,
    {
        self.check_width(row.len())?;
        let wanted = self.columns.len();
        for (index, (column, cell)) in self.columns.iter().zip(row).enumerate() {
            let value = column.encode(cell).map_err(|source| RowError::Cell {
                column: column.name.clone(),
                position: index + 1,
                wanted,
                source,
            })?;
            out.push(value);
        }
        Ok(())
    }

    /// For each column of the model, its position in `names`.
    ///
    /// # Errors
    ///
    /// When a column is missing from `names`, stands there twice, or `names` has
    /// one that the model does not take.
    pub fn order_of<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, RowError> {
        let error = |problem| RowError::Names {
            problem,
            columns: self.names(),
        };
        for (index, name) in names.iter().enumerate() {
            let name = name.as_ref();
            if !self.columns.iter().any(|column| column.name == name) {
                return Err(error(format!("unknown column {name:?}")));
            }
            if names
                .iter()
                .take(index)
                .any(|earlier| earlier.as_ref() == name)
            {
                return Err(error(format!("column {name:?} is given twice")));
            }
        }
        let position = |column: &Column| {
            let found = names.iter().position(|name| name.as_ref() == column.name);
            found.ok_or_else(|| error(format!("column {:?} is missing", column.name)))
        };
        self.columns.iter().map(position).collect()
    }
}
