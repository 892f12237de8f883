//! `jsonData` as records: one object per row, with a value for each column.

use model::{Cell, Table};
use serde_json::{Map, Value};

use crate::predict::encode;
use crate::problem::Problem;

/// The features of one record or a list of records.
pub(super) fn features(table: &Table, data: &Value) -> Result<Vec<f32>, Problem> {
    let records: Vec<&Map<String, Value>> = match data {
        Value::Object(record) => vec![record],
        Value::Array(list) => list
            .iter()
            .map(Value::as_object)
            .collect::<Option<_>>()
            .ok_or_else(not_records)?,
        _ => return Err(not_records()),
    };
    for (index, record) in records.iter().enumerate() {
        check(table, index + 1, record)?;
    }
    let cell = |row: usize, column: usize| {
        let name = table.columns.get(column).map(|column| &column.name);
        let value = records.get(row).zip(name).and_then(|(r, name)| r.get(name));
        value.map_or(Cell::Missing, plain)
    };
    Ok(encode(table, records.len(), cell)?)
}

fn check(table: &Table, row: usize, record: &Map<String, Value>) -> Result<(), Problem> {
    let names: Vec<&String> = record.keys().collect();
    let at = |text: String| Problem::BadData(format!("row {row}: {text}"));
    table.order_of(&names).map_err(|e| at(e.to_string()))?;
    let nested = record.iter().find(|(_, v)| v.is_array() || v.is_object());
    match nested {
        Some((name, _)) => Err(at(format!(
            "column {name:?} wants one value, not a list or object"
        ))),
        None => Ok(()),
    }
}

fn plain(value: &Value) -> Cell<'_> {
    match value {
        Value::Bool(value) => Cell::Bool(*value),
        Value::String(text) => Cell::Text(text),
        Value::Number(number) => number.as_f64().map_or(Cell::Missing, Cell::Number),
        Value::Null | Value::Array(_) | Value::Object(_) => Cell::Missing,
    }
}

fn not_records() -> Problem {
    let text = "jsonData is not a record or a list of records, write {\"column\": value, …}";
    Problem::BadData(text.to_owned())
}
