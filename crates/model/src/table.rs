//! From the raw values of a table's row to the numbers that the graph takes.
//!
//! The graph's input `columns` has the shape `[rows, columns]` and holds, for a
//! numeric column, the number, and for a categorical one, the position of the
//! value in the column's categories. A missing value is NaN in both. Everything
//! after that (imputation, scaling, one-hot encoding) is inside the graph.

use serde::{Deserialize, Serialize};

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

/// Whether a field of a CSV file holds no value: it is empty or one of the usual
/// words for that (`NA`, `N/A`, `NaN`, `null`, `None`, `?`), in any case.
pub fn is_missing(field: &str) -> bool {
    let words = ["", "na", "n/a", "nan", "null", "none", "?"];
    words
        .iter()
        .any(|word| field.trim().eq_ignore_ascii_case(word))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let categories = vec!["blue".to_owned(), "red".to_owned()];
        let column = |name: &str, kind, missing| Column {
            name: name.to_owned(),
            kind,
            missing,
        };
        Table {
            columns: vec![
                column("length", ColumnKind::Numeric, true),
                column("colour", ColumnKind::Categorical { categories }, false),
            ],
        }
    }

    fn encode(row: &[Cell<'_>]) -> Result<Vec<f32>, String> {
        let mut out = Vec::new();
        match table().encode_row(row.iter().copied(), &mut out) {
            Ok(()) => Ok(out),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let text = serde_json::to_string(&table()).unwrap();
        assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table());
    }

    #[test]
    fn rows_become_numbers() {
        assert_eq!(
            encode(&[Cell::Number(1.5), Cell::Text("red")]),
            Ok(vec![1.5, 1.0])
        );
        let missing = encode(&[Cell::Missing, Cell::Text("blue")]).unwrap();
        assert!(missing[0].is_nan());
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let refused = |row: &[Cell<'_>]| encode(row).unwrap_err();
        assert_eq!(
            refused(&[]),
            "got 0 values, the model takes 2: length, colour"
        );
        assert_eq!(
            refused(&[Cell::Text("1.5"), Cell::Text("red")]),
            "column \"length\" (value 1 of 2) wants a number, got the text \"1.5\""
        );
        assert_eq!(
            refused(&[Cell::Number(1.0), Cell::Text("green")]),
            "column \"colour\" (value 2 of 2) does not know the category \"green\"; \
             known are \"blue\", \"red\""
        );
        assert_eq!(
            refused(&[Cell::Number(1.0), Cell::Missing]),
            "column \"colour\" (value 2 of 2) wants a value: none was missing in the training data"
        );
        assert!(refused(&[Cell::Number(f64::NAN), Cell::Text("red")]).contains("finite"));
        assert!(refused(&[Cell::Number(1e300), Cell::Text("red")]).contains("1e300"));
    }

    #[test]
    fn names_give_the_order() {
        let order = |names: &[&str]| table().order_of(names).map_err(|e| e.to_string());
        assert_eq!(order(&["colour", "length"]), Ok(vec![1, 0]));
        let error = |names: &[&str]| order(names).unwrap_err();
        assert_eq!(
            error(&["colour"]),
            "column \"length\" is missing; the model takes length, colour"
        );
        assert!(error(&["colour", "colour"]).contains("twice"));
        assert!(error(&["colour", "length", "weight"]).contains("unknown column \"weight\""));
    }

    #[test]
    fn fields_of_a_file() {
        let [length, colour] = &table().columns[..] else {
            panic!()
        };
        assert_eq!(length.encode_field(" 2 "), Ok(2.0));
        assert!(length.encode_field("NA").unwrap().is_nan());
        assert_eq!(colour.encode_field("red"), Ok(1.0));
        assert_eq!(colour.encode_field("?"), Err(CellError::Missing));
        assert!(matches!(
            length.encode_field("x"),
            Err(CellError::NotANumber { .. })
        ));
    }
}
