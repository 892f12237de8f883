//! How many values a request may have that are not all numbers.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use crate::problem::Problem;

/// Values that a list may have when they are not all numbers: each takes 24 bytes, and
/// two in a body.
const MOST: usize = 4 << 20;

/// More values than [`Any`](super::Values::Any) may have, or all of them in a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl TooMany {
    /// How its text begins, and no other.
    pub(super) const TEXT: &str = "a list is too long for what stands in it";

    /// Refuses `count` values that are not all numbers.
    pub(crate) fn check(count: usize) -> Result<(), Self> {
        match count > MOST {
            true => Err(Self),
            false => Ok(()),
        }
    }
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: of more than {MOST} values all must be numbers, and none too large to be kept \
             exactly; send fewer, or the numbers in a list of their own",
            Self::TEXT
        )
    }
}

impl From<TooMany> for Problem {
    fn from(error: TooMany) -> Self {
        Self::TooManyParts(error.to_string())
    }
}

/// What has values.
pub(crate) trait Holds {
    /// How many of them are in lists that are not all numbers.
    fn others(&self) -> usize;
}

/// A list whose elements have no more values in lists that are not all numbers than
/// one such list may have.
#[derive(Debug)]
pub(crate) struct Together<T>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de> + Holds> Deserialize<'de> for Together<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TogetherVisitor(PhantomData))
    }
}

struct TogetherVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Holds> Visitor<'de> for TogetherVisitor<T> {
    type Value = Together<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let (mut elements, mut others) = (Vec::new(), 0);
        while let Some(element) = list.next_element::<T>()? {
            others += element.others();
            TooMany::check(others).map_err(de::Error::custom)?;
            elements.push(element);
        }
        Ok(Together(elements))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Scalar, Values};

    #[test]
    fn only_numbers_may_be_many() {
        let texts = |count| vec![Scalar::Null; count];
        assert_eq!(Values::of(texts(MOST)).unwrap().len(), MOST);
        assert_eq!(Values::of(texts(MOST + 1)), Err(TooMany));
        let mut numbers = Values::Integers(vec![0; MOST]);
        numbers.push(Scalar::Integer(1)).unwrap();
        assert_eq!(numbers.push(Scalar::Null), Err(TooMany));
        let text = TooMany.to_string();
        assert!(text.contains("more than 4194304 values"), "{text}");
    }
}
