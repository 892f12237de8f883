//! One plain value.

use std::borrow::Cow;

use model::Cell;
use serde::Serialize;

/// A plain value. Integers keep their type, so that they can be checked against
/// a datatype.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Scalar<'de> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number written without point or exponent.
    Integer(i64),
    /// As `Integer`, above its range.
    Unsigned(u64),
    /// Any other number.
    Float(f64),
    /// A text, borrowed from the body unless it has escapes.
    Text(Cow<'de, str>),
    /// Bytes that are no text, which JSON cannot hold.
    Bytes(Cow<'de, [u8]>),
}

impl From<u64> for Scalar<'_> {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Unsigned(value), Self::Integer)
    }
}

impl Scalar<'_> {
    /// The same, which borrows nothing.
    pub(crate) fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(value) => Scalar::Bool(value),
            Self::Integer(value) => Scalar::Integer(value),
            Self::Unsigned(value) => Scalar::Unsigned(value),
            Self::Float(value) => Scalar::Float(value),
            Self::Text(text) => Scalar::Text(text.into_owned().into()),
            Self::Bytes(bytes) => Scalar::Bytes(bytes.into_owned().into()),
        }
    }

    /// The same, which borrows from this one.
    pub(super) fn borrowed(&self) -> Scalar<'_> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(value) => Scalar::Bool(*value),
            Self::Integer(value) => Scalar::Integer(*value),
            Self::Unsigned(value) => Scalar::Unsigned(*value),
            Self::Float(value) => Scalar::Float(*value),
            Self::Text(text) => Scalar::Text(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Scalar::Bytes(Cow::Borrowed(bytes)),
        }
    }

    /// The value as a number; `None` where it is something else.
    #[expect(
        clippy::cast_precision_loss,
        reason = "who asks wants a number of double precision"
    )]
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Unsigned(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::Bytes(_) => None,
        }
    }

    /// The value as a table's cell.
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Missing,
            Self::Bool(value) => Cell::Bool(*value),
            Self::Text(text) => Cell::Text(text),
            // What stands for it in print is no known category, and no number.
            Self::Bytes(_) => Cell::Text("\u{fffd}"),
            number => number.number().map_or(Cell::Missing, Cell::Number),
        }
    }
}
