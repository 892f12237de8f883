//! Arrays on their way to a reply.

use model::Cell;
use serde::Deserialize;
use serde_json::Value;

use super::message::Tensor;
use crate::json::{self, Nested, Scalar, Values};
use crate::problem::Problem;

/// Values in row-major order.
#[derive(Debug)]
pub(super) struct Array<'a> {
    /// The size of each dimension; none for a single value.
    pub(super) shape: Vec<usize>,
    /// As many as the product of `shape`.
    pub(super) cells: Cells<'a>,
}

/// Values of one kind. One float among numbers makes all of them floats, as in
/// the Python wrapper's arrays.
#[derive(Debug)]
pub(super) enum Cells<'a> {
    /// What a package gives.
    Single(Vec<f32>),
    /// Whole numbers, exact.
    Ints(Vec<i64>),
    /// As `Ints`, where one is above their range.
    Wide(Vec<i128>),
    /// Other numbers.
    Floats(Vec<f64>),
    /// At least one text, truth value or null.
    Mixed(Vec<Scalar<'a>>),
}

impl<'a> From<Values<'a>> for Cells<'a> {
    fn from(values: Values<'a>) -> Self {
        match values {
            Values::Integers(values) => Self::Ints(values),
            Values::Floats(values) | Values::Numbers { values, .. } => Self::Floats(values),
            Values::Any(values) => numbers(&values).unwrap_or(Self::Mixed(values)),
        }
    }
}

/// The same as numbers; `None` where one is none.
fn numbers(values: &[Scalar<'_>]) -> Option<Cells<'static>> {
    let whole = values.iter().map(|value| match value {
        Scalar::Integer(value) => Some((*value).into()),
        Scalar::Unsigned(value) => Some((*value).into()),
        _ => None,
    });
    if let Some(whole) = whole.collect() {
        return Some(Cells::Wide(whole));
    }
    let floats: Option<_> = values.iter().map(Scalar::number).collect();
    floats.map(Cells::Floats)
}

impl<'a> Array<'a> {
    /// The values of `data.tensor`.
    ///
    /// # Errors
    ///
    /// When they do not fill its shape.
    pub(super) fn of_tensor(tensor: Tensor) -> Result<Self, Problem> {
        let Tensor { shape, values } = tensor;
        if size_of(&shape) != Some(values.len()) {
            let found = values.len();
            return Err(Problem::BadData(format!(
                "data.tensor has {found} values, which do not fill the shape {shape:?}"
            )));
        }
        check_empty(&shape).map_err(|why| Problem::BadData(format!("data.tensor: {why}")))?;
        let cells = values.into();
        Ok(Self { shape, cells })
    }

    /// The values of `data.ndarray`.
    pub(super) fn of_nested(nested: Nested<'a>) -> Self {
        Self {
            shape: nested.shape,
            cells: nested.values.into(),
        }
    }

    /// The same, which borrows nothing.
    pub(super) fn owned(self) -> Array<'static> {
        let cells = match self.cells {
            Cells::Single(values) => Cells::Single(values),
            Cells::Ints(values) => Cells::Ints(values),
            Cells::Wide(values) => Cells::Wide(values),
            Cells::Floats(values) => Cells::Floats(values),
            Cells::Mixed(values) => {
                Cells::Mixed(values.into_iter().map(Scalar::into_owned).collect())
            }
        };
        let shape = self.shape;
        Array { shape, cells }
    }

    /// Whether all values are numbers.
    pub(super) fn is_numeric(&self) -> bool {
        !matches!(self.cells, Cells::Mixed(_))
    }

    /// The values as numbers of double precision; `None` where one is no number.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a mean, as all numbers of gRPC, is a double"
    )]
    pub(super) fn doubles(&self) -> Option<Vec<f64>> {
        match &self.cells {
            Cells::Single(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Cells::Ints(values) => Some(values.iter().map(|&value| value as f64).collect()),
            Cells::Wide(values) => Some(values.iter().map(|&value| value as f64).collect()),
            Cells::Floats(values) => Some(values.clone()),
            Cells::Mixed(_) => None,
        }
    }

    /// One value as that of a table.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the graph's input has fewer digits"
    )]
    pub(super) fn cell(&self, index: usize) -> Cell<'_> {
        let cell = match &self.cells {
            Cells::Single(values) => values.get(index).map(|&value| Cell::Number(value.into())),
            Cells::Ints(values) => values.get(index).map(|&value| Cell::Number(value as f64)),
            Cells::Wide(values) => values.get(index).map(|&value| Cell::Number(value as f64)),
            Cells::Floats(values) => values.get(index).map(|&value| Cell::Number(value)),
            Cells::Mixed(values) => values.get(index).map(Scalar::cell),
        };
        cell.unwrap_or(Cell::Missing)
    }
}

/// How many values fill `shape`; `None` for more than can be counted.
pub(super) fn size_of(shape: &[usize]) -> Option<usize> {
    let product = |size: usize, &dimension| size.checked_mul(dimension);
    shape.iter().try_fold(1, product)
}

/// Refuses an array without values whose other dimensions are large: a reply has a
/// name or a list for each of what nothing was sent for.
pub(super) fn check_empty(shape: &[usize]) -> Result<(), String> {
    const MOST: usize = 1 << 16;
    if !shape.contains(&0) {
        return Ok(());
    }
    let others: Vec<usize> = shape.iter().copied().filter(|&size| size > 0).collect();
    match size_of(&others).is_some_and(|size| size <= MOST) {
        true => Ok(()),
        false => Err(format!(
            "the shape {shape:?} holds no values and is too large for that"
        )),
    }
}

/// A list of `jsonData`: an array where it is one, else what it is, with the
/// shape of its regular part.
pub(super) enum List<'a> {
    Array(Array<'a>),
    Other(Vec<usize>),
}

impl<'a> List<'a> {
    /// Reads `list`.
    ///
    /// # Errors
    ///
    /// When it has lists of several lengths, and no objects.
    pub(super) fn of(list: &'a Value) -> Result<Self, Problem> {
        if has_object(list) {
            return Ok(Self::Other(regular_shape(list)));
        }
        match Nested::deserialize(list) {
            Ok(nested) => Ok(Self::Array(Array::of_nested(nested))),
            Err(error) => Err(json::problem(&error, |error| format!("jsonData: {error}"))),
        }
    }
}

fn has_object(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(list) => list.iter().any(has_object),
        _ => false,
    }
}

fn regular_shape(value: &Value) -> Vec<usize> {
    let Value::Array(list) = value else {
        return Vec::new();
    };
    let mut shape = vec![list.len()];
    let mut inner = list.iter().map(regular_shape);
    if let Some(first) = inner.next()
        && inner.all(|other| other == first)
    {
        shape.extend(first);
    }
    shape
}
