//! The Seldon v1 protocol over HTTP.
//!
//! Source: the servers of Seldon Core v1.17, whose Python wrapper this replaces.

mod message;
mod metadata;
mod names;
mod records;
mod reply;
mod routes;
mod source;

pub(crate) use metadata::{Metadata, Overrides};
pub(crate) use reply::Node;
pub(crate) use routes::{problem, router};

use model::{Lane, Table};

use crate::json::{self, Nested};
use crate::predict::{Predictor, encode};
use crate::problem::Problem;
use message::{Data, Message, Tensor};
use reply::Form;

/// Answers one message with another. It stands on a compute thread from the
/// bytes of the body to the bytes of the reply.
pub(crate) fn answer(
    predictor: &Predictor,
    lane: &Lane,
    node: &Node,
    body: &[u8],
) -> Result<(usize, Vec<u8>), Problem> {
    let message: Message<'_> = json::parse(body)?;
    let meta = message.meta.map(|meta| meta.0).unwrap_or_default();
    let table = &predictor.table;
    let (form, features) = match (message.data, message.json_data) {
        (Some(data), _) => features(table, data.0)?,
        (None, Some(records)) => (Form::Tensor, records::features(table, &records)?),
        (None, None) => {
            let other = message.str_data.map(|_| "strData");
            return Err(no_rows(other.or(message.bin_data.map(|_| "binData"))));
        }
    };
    if features.is_empty() {
        return Err(bad("there are no rows, send at least one"));
    }
    let prediction = predictor.predict(lane, features)?;
    let body = reply::write(predictor, &prediction, form, meta, node)?;
    Ok((prediction.rows, body))
}

fn features(table: &Table, data: Data<'_>) -> Result<(Form, Vec<f32>), Problem> {
    let order = |width| names::order(table, &data.names, width);
    match (data.tensor, data.ndarray) {
        (Some(tensor), _) => Ok((Form::Tensor, from_tensor(table, &tensor.0, order)?)),
        (None, Some(rows)) => Ok((Form::Ndarray, from_ndarray(table, &rows, order)?)),
        (None, None) if data.tftensor.is_some() => Err(bad(
            "data.tftensor is not read by this model, send data.tensor or data.ndarray",
        )),
        (None, None) => Err(bad("data has neither tensor nor ndarray")),
    }
}

fn from_ndarray(
    table: &Table,
    rows: &Nested<'_>,
    order: impl Fn(usize) -> Result<Vec<usize>, Problem>,
) -> Result<Vec<f32>, Problem> {
    match rows.shape.as_slice() {
        &[0] => Ok(Vec::new()),
        &[count, width] => {
            let order = order(width)?;
            let cell = |row: usize, column: usize| {
                let position = order.get(column).map(|place| row * width + place);
                let value = position.and_then(|position| rows.values.get(position));
                value.map_or(model::Cell::Missing, json::Scalar::cell)
            };
            Ok(encode(table, count, cell)?)
        }
        shape => Err(not_rows("data.ndarray", shape)),
    }
}

fn from_tensor(
    table: &Table,
    tensor: &Tensor,
    order: impl Fn(usize) -> Result<Vec<usize>, Problem>,
) -> Result<Vec<f32>, Problem> {
    let size = tensor
        .shape
        .iter()
        .try_fold(1, |size: usize, &dimension| size.checked_mul(dimension));
    let (shape, found) = (&tensor.shape, tensor.values.len());
    if size != Some(found) {
        return Err(bad(format!(
            "data.tensor has {found} values, which do not fill the shape {shape:?}"
        )));
    }
    let &[rows, width] = shape.as_slice() else {
        return Err(not_rows("data.tensor", shape));
    };
    let order = order(width)?;
    let cell = |row: usize, column: usize| {
        let position = order.get(column).map(|place| row * width + place);
        let value = position.and_then(|position| tensor.values.get(position));
        value.map_or(model::Cell::Missing, |&value| model::Cell::Number(value))
    };
    encode(table, rows, cell).map_err(|error| match &error.source {
        model::RowError::Cell {
            source: model::CellError::UnknownCategory { .. },
            ..
        } => bad(format!(
            "{error}; a tensor holds only numbers, send this column's text in data.ndarray"
        )),
        _ => error.into(),
    })
}

fn not_rows(what: &str, shape: &[usize]) -> Problem {
    let advice = match (what, shape) {
        ("data.ndarray", _) => "write one row as [[1, 2, 3]], with two brackets".to_owned(),
        (_, &[width]) => format!("one row has the shape [1, {width}]"),
        _ => "its shape is [rows, columns]".to_owned(),
    };
    let rank = shape.len();
    bad(format!(
        "{what} has {rank} dimensions, expected rows of columns: {advice}"
    ))
}

fn no_rows(other: Option<&str>) -> Problem {
    let found = match other {
        Some(key) => format!("{key} is not read by a model of a table"),
        None => "the message has no payload".to_owned(),
    };
    bad(format!(
        "{found}, send data.ndarray (rows), data.tensor or jsonData (records)"
    ))
}

fn bad(text: impl Into<String>) -> Problem {
    Problem::BadData(text.into())
}
