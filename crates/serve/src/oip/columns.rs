//! From input tensors to the rows of a table.

use model::{Cell, CellError, ColumnKind, RowError, Table};

use super::request::Tensor;
use crate::predict::{BadRow, encode};
use crate::problem::Problem;

/// The rows of a request: one tensor with all columns, or one per column.
pub(super) fn rows(table: &Table, tensors: &[Tensor<'_>]) -> Result<Vec<f32>, Problem> {
    let is_column = |tensor: &Tensor<'_>| table.columns.iter().any(|c| c.name == tensor.name);
    match tensors {
        [] => Err(bad(
            "inputs is empty, send the tensors that the metadata lists",
        )),
        [only] if !is_column(only) => together(table, only),
        each => apart(table, each),
    }
}

/// One tensor of shape `[rows, columns]`.
fn together(table: &Table, tensor: &Tensor<'_>) -> Result<Vec<f32>, Problem> {
    let wanted = table.columns.len();
    let &[rows, width] = tensor.shape else {
        let shape = tensor.shape;
        return Err(bad(format!(
            "input {:?} has the shape {shape:?}, expected [rows, {wanted}]; one row has [1, {wanted}]",
            tensor.name
        )));
    };
    table
        .check_width(width)
        .map_err(|error| bad(format!("input {:?}, each row: {error}", tensor.name)))?;
    refuse_empty(rows)?;
    let cell = |row: usize, column: usize| tensor.values.cell(row * width + column);
    encode(table, rows, cell).map_err(|error| explain(table, tensor.is_text, error))
}

/// One tensor per column, of shape `[rows]` or `[rows, 1]`.
fn apart(table: &Table, tensors: &[Tensor<'_>]) -> Result<Vec<f32>, Problem> {
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name).collect();
    let order = table.order_of(&names)?;
    let columns: Vec<&Tensor<'_>> = order.iter().filter_map(|&i| tensors.get(i)).collect();
    let mut rows = None;
    for tensor in tensors {
        let (&[found] | &[found, 1]) = tensor.shape else {
            let shape = tensor.shape;
            return Err(bad(format!(
                "input {:?} has the shape {shape:?}, expected [rows] or [rows, 1]",
                tensor.name
            )));
        };
        let rows = *rows.get_or_insert(found);
        if rows != found {
            return Err(bad(format!(
                "input {:?} has {found} rows, those before it have {rows}",
                tensor.name
            )));
        }
    }
    let rows = rows.unwrap_or_default();
    refuse_empty(rows)?;
    let cell = |row: usize, column: usize| {
        let tensor = columns.get(column);
        tensor.map_or(Cell::Missing, |tensor| tensor.values.cell(row))
    };
    let is_text = |name: &str| tensors.iter().any(|t| t.name == name && t.is_text);
    encode(table, rows, cell).map_err(|error| {
        let text = matches!(&error.source, RowError::Cell { column, .. } if is_text(column));
        explain(table, text, error)
    })
}

/// Numbers where a text belongs need another tensor, not another number.
fn explain(table: &Table, is_text: bool, error: BadRow) -> Problem {
    let RowError::Cell { column, source, .. } = &error.source else {
        return error.into();
    };
    let known = table.columns.iter().find(|c| c.name == *column);
    let kind = known.map(|column| &column.kind);
    match (source, kind) {
        (CellError::UnknownCategory { .. }, Some(ColumnKind::Categorical { .. })) if !is_text => {
            bad(format!(
                "{error}; send its text as a BYTES tensor named {column:?}, and one tensor for \
                 each other column"
            ))
        }
        _ => error.into(),
    }
}

fn refuse_empty(rows: usize) -> Result<(), Problem> {
    match rows {
        0 => Err(bad("there are no rows, send at least one")),
        _ => Ok(()),
    }
}

fn bad(text: impl Into<String>) -> Problem {
    Problem::BadData(text.into())
}
