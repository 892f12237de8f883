//! The table as numbers, encoded as serving will encode it.

use fit::select;
use model::{CellError, Column, ColumnKind, Table, Task};
use ndarray::{Array2, Axis};

use super::columns::{self, LeftOut, Placed};
use super::{DataError, Target, Texts, known, target};
use crate::experiment::Experiment;
use crate::local::Continued;

/// A table ready to be learned from.
#[derive(Debug)]
pub(crate) struct Dataset {
    /// The columns that the model takes.
    pub(crate) table: Table,
    /// Where each row stands among those that were read.
    pub(crate) rows: Vec<usize>,
    /// For each row, the position of the first one that equals it, its own where there is
    /// none; empty until the rows are divided.
    pub(crate) equal: Vec<usize>,
    /// What stays on one side of a split has the same number; likewise.
    pub(crate) groups: Vec<usize>,
    /// The graph's input `columns` for every row, `[rows, columns]`.
    pub(crate) columns: Array2<f32>,
    /// The name of the column to predict.
    pub(crate) target_name: String,
    /// The value to predict of every row.
    pub(crate) target: Target,
    /// The columns that the model does not take.
    pub(crate) left_out: Vec<LeftOut>,
    /// How many rows were dropped as their target is missing.
    pub(crate) without_target: usize,
    /// What a person should look at.
    pub(crate) warnings: Vec<String>,
    /// The model that is continued with these rows.
    pub(crate) continued: Option<Continued>,
}

impl Dataset {
    /// What the model learns.
    pub(crate) fn task(&self) -> Task {
        match self.target {
            Target::Classes { .. } => Task::Classification,
            Target::Numbers(_) => Task::Regression,
        }
    }

    /// Leaves the rows at `rows`.
    pub(crate) fn keep(&mut self, rows: &[usize]) {
        self.columns = self.columns.select(Axis(0), rows);
        self.rows = select(&self.rows, rows);
        match &mut self.target {
            Target::Classes { codes, .. } => *codes = select(codes, rows),
            Target::Numbers(numbers) => *numbers = select(numbers, rows),
        }
    }
}

/// Turns texts into numbers; all columns of the table `continued` are among them.
///
/// # Errors
///
/// When the experiment names a column that is not there, no column can be
/// learned from, the target cannot be learned, or a value does not fit its column.
pub(crate) fn prepare(
    texts: &Texts,
    experiment: &Experiment,
    continued: Option<&Table>,
) -> Result<Dataset, DataError> {
    let target = target::position(texts, experiment)?;
    let (placed, mut left_out) = columns::choose(texts, target, experiment, continued)?;
    let rows = target::rows_with(texts, target);
    let values = target::values(texts, target, &rows, experiment)?;
    let placed = drop_constant(texts, &rows, (placed, continued), &mut left_out)?;
    let columns = encode(texts, &rows, &placed)?;
    let absent = known::absent(&placed).into_iter().map(|name| {
        format!(
            "the data has no column {name:?}, which the last model takes: it is taken as missing in \
             all rows"
        )
    });
    let warnings = placed
        .iter()
        .enumerate()
        .filter_map(|(index, (position, column))| {
            let exact = rows
                .iter()
                .filter_map(|row| texts.rows.get(*row))
                .map(|r| r.field(*position));
            imprecise(
                &column.name,
                &column.kind,
                exact,
                columns.column(index).iter().copied(),
            )
        })
        .chain(absent)
        .collect();
    Ok(Dataset {
        table: Table {
            columns: placed.into_iter().map(|(_, column)| column).collect(),
        },
        columns,
        target_name: texts.names.get(target).cloned().unwrap_or_default(),
        target: values,
        left_out,
        without_target: texts.rows.len() - rows.len(),
        rows,
        equal: Vec::new(),
        groups: Vec::new(),
        warnings,
        continued: None,
    })
}

/// Leaves out columns whose values are all the same once they are 32-bit, but none that
/// the model which is continued has learned from.
fn drop_constant(
    texts: &Texts,
    rows: &[usize],
    (placed, continued): (Vec<Placed>, Option<&Table>),
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<Placed>, DataError> {
    let known = continued.map_or(&[][..], |table| &table.columns);
    let is_known = |column: &Column| known.iter().any(|known| known.name == column.name);
    let mut kept = Vec::new();
    for (position, column) in placed {
        let values = encode(texts, rows, &[(position, column.clone())])?;
        let first = values.first().copied().unwrap_or(f32::NAN);
        if column.missing || is_known(&column) || values.iter().any(|value| *value != first) {
            kept.push((position, column));
            continue;
        }
        let mut fields = rows.iter().filter_map(|row| texts.rows.get(*row));
        let text = fields.next().map_or("", |row| row.field(position));
        let reason = match fields.all(|row| row.field(position) == text) {
            true => format!("it has the value {text:?} in every row with a target"),
            false => format!(
                "its values differ, and are all {first} as 32-bit numbers, which the model takes: \
                 subtract a constant from them"
            ),
        };
        left_out.push(LeftOut {
            name: column.name,
            reason,
            surprising: true,
        });
    }
    match kept.is_empty() {
        true => Err(columns::nothing(left_out)),
        false => Ok(kept),
    }
}

fn encode(texts: &Texts, rows: &[usize], placed: &[Placed]) -> Result<Array2<f32>, DataError> {
    let mut columns = Array2::zeros((rows.len(), placed.len()));
    let rows = rows.iter().filter_map(|row| texts.rows.get(*row));
    for (mut encoded, row) in columns.rows_mut().into_iter().zip(rows) {
        for (value, (position, column)) in encoded.iter_mut().zip(placed) {
            let field = row.field(*position);
            *value = column.encode_field(field).map_err(|e| DataError::Format {
                place: texts.place(row),
                problem: format!("column {:?} {}", column.name, explain(&e)),
            })?;
        }
    }
    Ok(columns)
}

fn explain(error: &CellError) -> String {
    match error {
        CellError::NotANumber { .. } => format!("{error}; is it listed under numeric by mistake?"),
        _ => error.to_string(),
    }
}

/// A warning where rounding to 32 bits loses what distinguishes the values, as
/// in a column of times in nanoseconds.
fn imprecise<'a>(
    name: &str,
    kind: &ColumnKind,
    exact: impl Iterator<Item = &'a str>,
    rounded: impl Iterator<Item = f32>,
) -> Option<String> {
    const TOLERATED: f64 = 0.01;
    if *kind != ColumnKind::Numeric {
        return None;
    }
    let (mut error, mut low, mut high) = (0.0_f64, f64::INFINITY, f64::NEG_INFINITY);
    for (text, rounded) in exact.zip(rounded) {
        if let Ok(value) = text.parse::<f64>() {
            error = error.max((value - f64::from(rounded)).abs());
            (low, high) = (low.min(value), high.max(value));
        }
    }
    (low <= high && error > TOLERATED * (high - low)).then(|| {
        format!(
            "column {name:?} loses its detail: the model takes 32-bit numbers, which are off by up to \
             {error:.3e} where the values span {:.3e}; subtract a constant from it",
            high - low
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read;

    fn prepared(csv: &str, experiment: &Experiment) -> Result<Dataset, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.csv"), csv).unwrap();
        let texts = read(dir.path(), "data", None).unwrap();
        prepare(&texts, experiment, None).map_err(|e| e.to_string())
    }

    fn refused(csv: &str) -> String {
        prepared(csv, &Experiment::default()).unwrap_err()
    }

    #[test]
    fn rows_without_target_are_dropped() {
        let data = prepared("x,c,y\n1,a,p\n2,b,\n3,,q\n4,a,q\n", &Experiment::default()).unwrap();
        assert_eq!((data.columns.nrows(), data.without_target), (3, 1));
        let expected = Target::Classes {
            labels: vec!["p".to_owned(), "q".to_owned()],
            codes: vec![0, 1, 1],
        };
        assert_eq!(data.target, expected);
        assert!(data.columns[[1, 1]].is_nan());
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        assert_eq!(
            refused("x,y\n1,a\n2,a\n"),
            "the target column \"y\" has the value \"a\" in every row: there is one class only, and nothing to learn"
        );
        assert_eq!(
            refused("x,y\n1,\n2,NA\n"),
            "the target column \"y\" has no values; `target` names another one than the last"
        );
        assert!(refused("x,y\n1,a\n2,b\n3,c\n").contains("every class is seen once only"));
        assert_eq!(
            refused("x,y\n1,a\n2,b\ninf,b\n"),
            "data/a.csv:4: column \"x\" wants a finite number below 3.4e38, got inf"
        );
        let target = Experiment {
            target: Some("z".to_owned()),
            ..Experiment::default()
        };
        assert!(
            prepared("x,y\n1,a\n", &target)
                .unwrap_err()
                .ends_with("its columns are x, y")
        );
    }

    #[test]
    fn a_forced_regression_names_the_line_of_a_text() {
        let experiment = Experiment {
            task: Some(Task::Regression),
            ..Experiment::default()
        };
        let error = prepared("x,y\n1,1\n2,high\n", &experiment).unwrap_err();
        assert!(
            error.starts_with("data/a.csv:3: the target \"high\" is not a finite number"),
            "{error}"
        );
    }

    #[test]
    fn detail_lost_to_32_bits_is_told() {
        let lost = prepared(
            "x,y\n1e12,a\n1000000030000,b\n1000000090000,b\n1000000130000,a\n",
            &Experiment::default(),
        )
        .unwrap();
        assert!(
            lost.warnings[0].contains("\"x\" loses its detail"),
            "{:?}",
            lost.warnings
        );
        assert!(
            refused("x,y\n1000000000000,a\n1000000000001,b\n1000000000002,b\n").contains(
                "no column to learn from (x: its values differ, and are all 1000000000000 as 32-bit"
            )
        );
        assert!(
            refused("x,y\n1,a\n1,b\n1,a\n2,\n")
                .contains("x: it has the value \"1\" in every row with a target")
        );
    }

    #[test]
    fn a_delimiter_at_the_end_of_lines_is_told_from_a_target() {
        let error = refused("x,y,\n1,a,\n2,b,\n");
        assert!(
            error.ends_with("set `target` to the one to predict, as `target: y`"),
            "{error}"
        );
    }
}
