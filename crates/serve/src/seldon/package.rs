//! A package's predictions: from what a message carries to probabilities or values.

use model::Table;

use super::array::Array;
use super::message::{Data, Payload};
use super::names::{self, Names};
use super::reply::{Body, Form, Outcome, Tags};
use super::{media, pass, records};
use crate::json::Nested;
use crate::predict::{Features, Prediction, Predictor, Takes, encode};
use crate::problem::Problem;

/// What `payload` carries for the model.
///
/// # Errors
///
/// When it is not what the model takes.
pub(super) fn features(
    predictor: &Predictor,
    payload: Option<Payload<'_>>,
) -> Result<(Form, Features), Problem> {
    match &predictor.takes {
        Takes::Table(table) => {
            let (form, rows) = rows(table, payload)?;
            Ok((form, Features::Rows(rows)))
        }
        Takes::Pictures(_) => media::pictures(payload),
        Takes::Texts(_) => media::texts(payload),
    }
}

/// What the model says, as a message of this `form` says it.
pub(super) fn outcome(predictor: &Predictor, form: Form, prediction: Prediction) -> Outcome<'_> {
    let names = match predictor.labels.as_slice() {
        [] => std::slice::from_ref(&predictor.target),
        labels => labels,
    };
    let array = Array {
        shape: vec![prediction.rows, prediction.width],
        cells: super::array::Cells::Single(prediction.values),
    };
    let mut outcome = Outcome::from(Body::of_array(form, Names::Known(names), array));
    outcome.tags = prediction.outlier.map(Tags::Outlier);
    outcome
}

fn rows(table: &Table, payload: Option<Payload<'_>>) -> Result<(Form, Vec<f32>), Problem> {
    match payload {
        Some(Payload::Data(data)) => of_data(table, data),
        Some(Payload::Json(records)) => Ok((Form::Tensor, records::features(table, &records)?)),
        Some(Payload::Text(_)) => Err(no_rows(Some("strData"))),
        Some(Payload::Bytes(_)) => Err(no_rows(Some("binData"))),
        Some(Payload::Custom(_)) => Err(no_rows(Some("customData"))),
        None => Err(no_rows(None)),
    }
}

fn of_data(table: &Table, mut data: Data<'_>) -> Result<(Form, Vec<f32>), Problem> {
    let names = data.names.take();
    let order = |width| names::order(table, &names, width);
    match data {
        Data {
            tensor: None,
            ndarray: Some(rows),
            ..
        } => Ok((Form::Ndarray, from_ndarray(table, &rows, order)?)),
        Data {
            tensor: None,
            tftensor: None,
            ..
        } => Err(bad("data has neither tensor nor ndarray")),
        data => {
            let (form, array) = pass::array(data)?;
            Ok((form, from_tensor(table, &array, order)?))
        }
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
                position.map_or(model::Cell::Missing, |position| rows.values.cell(position))
            };
            Ok(encode(table, count, cell)?)
        }
        shape => Err(not_rows("data.ndarray", shape)),
    }
}

fn from_tensor(
    table: &Table,
    array: &Array<'_>,
    order: impl Fn(usize) -> Result<Vec<usize>, Problem>,
) -> Result<Vec<f32>, Problem> {
    let &[rows, width] = array.shape.as_slice() else {
        return Err(not_rows("data.tensor", &array.shape));
    };
    let order = order(width)?;
    let cell = |row: usize, column: usize| {
        let position = order.get(column).map(|place| row * width + place);
        position.map_or(model::Cell::Missing, |position| array.cell(position))
    };
    encode(table, rows, cell).map_err(|error| match &error.source {
        model::RowError::Cell {
            source: model::CellError::UnknownCategory { .. },
            ..
        } if array.is_numeric() => bad(format!(
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

/// A request that will be wrong again.
pub(super) fn bad(text: impl Into<String>) -> Problem {
    Problem::BadData(text.into())
}
