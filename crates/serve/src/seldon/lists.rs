//! Arrays as lists in lists.

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::array::{Array, Cells};

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Single(values) => values.serialize(serializer),
            Self::Ints(values) => values.serialize(serializer),
            Self::Wide(values) => values.serialize(serializer),
            Self::Floats(values) => values.serialize(serializer),
            Self::Mixed(values) => values.serialize(serializer),
        }
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
        let (count, sizes) = match self.sizes {
            [] => return self.array.serialize_value(self.start, serializer),
            &[count] => return self.array.serialize_row(self.start, count, serializer),
            &[count, ref sizes @ ..] => (count, sizes),
        };
        let step = sizes.iter().product::<usize>();
        let mut list = serializer.serialize_seq(Some(count))?;
        for index in 0..count {
            list.serialize_element(&Level {
                array: self.array,
                sizes,
                start: self.start + index * step,
            })?;
        }
        list.end()
    }
}

impl Array<'_> {
    /// So many values from `start` on, which are one list.
    fn serialize_row<S: Serializer>(
        &self,
        start: usize,
        count: usize,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let row = start..start + count;
        match &self.cells {
            Cells::Single(values) => values.get(row).serialize(to),
            Cells::Ints(values) => values.get(row).serialize(to),
            Cells::Wide(values) => values.get(row).serialize(to),
            Cells::Floats(values) => values.get(row).serialize(to),
            Cells::Mixed(values) => values.get(row).serialize(to),
        }
    }

    fn serialize_value<S: Serializer>(&self, index: usize, to: S) -> Result<S::Ok, S::Error> {
        match &self.cells {
            Cells::Single(values) => values.get(index).serialize(to),
            Cells::Ints(values) => values.get(index).serialize(to),
            Cells::Wide(values) => values.get(index).serialize(to),
            Cells::Floats(values) => values.get(index).serialize(to),
            Cells::Mixed(values) => values.get(index).serialize(to),
        }
    }
}
