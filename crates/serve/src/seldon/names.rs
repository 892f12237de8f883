//! `data.names`: which value of a row belongs to which column.

use model::Table;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::json::Text;
use crate::problem::Problem;

/// The names of a reply's columns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names<'a> {
    /// Those that the model has.
    Known(&'a [String]),
    /// `t:0`, `t:1`, …, so many: those of an array that has none.
    Counted(usize),
}

impl<'a> Names<'a> {
    /// None.
    pub(super) const NONE: Names<'static> = Names::Counted(0);

    /// The names that the Python wrapper gives an array of this `shape` without names:
    /// as many as its second dimension has.
    pub(super) fn counted(shape: &[usize]) -> Self {
        Self::Counted(shape.get(1).copied().unwrap_or(0))
    }

    /// Each name.
    pub(super) fn to_vec(self) -> Vec<String> {
        match self {
            Self::Known(names) => names.to_vec(),
            Self::Counted(count) => {
                let mut digits = itoa::Buffer::new();
                let name = |index| [PREFIX, digits.format(index)].concat();
                (0..count).map(name).collect()
            }
        }
    }
}

/// What stands before the number of a column without a name.
const PREFIX: &str = "t:";

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = match self {
            Self::Known(names) => return names.serialize(serializer),
            Self::Counted(count) => *count,
        };
        let mut list = serializer.serialize_seq(Some(count))?;
        let (mut name, mut digits) = (String::from(PREFIX), itoa::Buffer::new());
        for index in 0..count {
            name.truncate(PREFIX.len());
            name.push_str(digits.format(index));
            list.serialize_element(&name)?;
        }
        list.end()
    }
}

/// For each column of the model, the place of its value in a row of `width`
/// values: by name where names are given, else by position.
///
/// The names `t:0`, `t:1`, … say nothing: the servers of Seldon put them where a
/// message has none.
pub(super) fn order(
    table: &Table,
    names: &Option<Vec<Text<'_>>>,
    width: usize,
) -> Result<Vec<usize>, Problem> {
    let names = names.as_deref().unwrap_or_default();
    let mut digits = itoa::Buffer::new();
    let meaningless = |(index, name): (usize, &Text<'_>)| {
        name.as_ref().strip_prefix(PREFIX) == Some(digits.format(index))
    };
    if names.iter().enumerate().all(meaningless) {
        return by_position(table, width);
    }
    if names.len() != width {
        return Err(Problem::BadData(format!(
            "data.names has {} names, the rows have {width} values",
            names.len()
        )));
    }
    Ok(table.order_of(names)?)
}

fn by_position(table: &Table, width: usize) -> Result<Vec<usize>, Problem> {
    table
        .check_width(width)
        .map_err(|error| Problem::BadData(format!("each row: {error}")))?;
    Ok((0..width).collect())
}
