//! Arrays as lists in lists.

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::array::{Array, Cells};

/// Does `$do` with the `$values` of `$cells`, of whatever kind they are.
macro_rules! each {
    ($cells:expr, $values:ident => $do:expr) => {
        match $cells {
            Cells::Single($values) => $do,
            Cells::Ints($values) => $do,
            Cells::Wide($values) => $do,
            Cells::Floats($values) => $do,
            Cells::Mixed($values) => $do,
        }
    };
}

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        each!(self, values => values.serialize(serializer))
    }
}

/// An array as lists in lists.
pub(super) struct Lists<'a>(pub(super) &'a Array<'a>);

impl Serialize for Lists<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let level = Level {
            array: self.0,
            sizes: &self.0.shape,
            start: 0,
        };
        level.serialize(serializer)
    }
}

struct Level<'a> {
    array: &'a Array<'a>,
    sizes: &'a [usize],
    start: usize,
}

impl Serialize for Level<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (cells, start) = (&self.array.cells, self.start);
        let (count, sizes) = match self.sizes {
            [] => return each!(cells, values => values.get(start).serialize(serializer)),
            &[count] => {
                return each!(cells, values => values.get(start..start + count).serialize(serializer));
            }
            &[count, ref sizes @ ..] => (count, sizes),
        };
        let step = sizes.iter().product::<usize>();
        let mut list = serializer.serialize_seq(Some(count))?;
        for index in 0..count {
            list.serialize_element(&Level {
                array: self.array,
                sizes,
                start: start + index * step,
            })?;
        }
        list.end()
    }
}
