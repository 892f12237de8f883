//! Nested lists of plain values, read into one flat buffer.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::{Scalar, Values};

/// A rectangular list of lists, as `ndarray` of Seldon and `data` of the Open
/// Inference Protocol.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Nested<'de> {
    /// The size of each dimension; none for a bare value.
    pub(crate) shape: Vec<usize>,
    /// The values in row-major order, as many as the product of `shape`.
    pub(crate) values: Values<'de>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Nested<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut reader = Reader::default();
        Element {
            reader: &mut reader,
            depth: 0,
        }
        .deserialize(deserializer)?;
        Ok(Self {
            shape: reader.shape,
            values: reader.values,
        })
    }
}

/// What has been read so far. The first list of each depth sets the size that
/// the others at that depth must have.
#[derive(Default)]
struct Reader<'de> {
    shape: Vec<usize>,
    values: Values<'de>,
}

struct Element<'r, 'de> {
    reader: &'r mut Reader<'de>,
    depth: usize,
}

impl<'r, 'de> Element<'r, 'de> {
    /// Where a value goes that stands here.
    fn values<E: de::Error>(self) -> Result<&'r mut Values<'de>, E> {
        if self.depth != self.reader.shape.len() {
            return Err(E::custom(format_args!(
                "a value stands among lists: all must be nested {} deep",
                self.reader.shape.len()
            )));
        }
        Ok(&mut self.reader.values)
    }

    fn value<E: de::Error>(self, value: Scalar<'de>) -> Result<(), E> {
        self.values()?.push(value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, number, text, truth value or null")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.value(Scalar::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.value(Scalar::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.values()?.push_integer(value).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.values()?.push_unsigned(value).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.values()?.push_float(value).map_err(E::custom)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<(), E> {
        self.value(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.value(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { reader, depth } = self;
        // A depth whose size is still open holds the value that cannot occur.
        const OPEN: usize = usize::MAX;
        if depth == reader.shape.len() {
            if reader.values.len() > 0 {
                return Err(de::Error::custom(format_args!(
                    "a list stands among values: all must be nested {depth} deep"
                )));
            }
            reader.shape.push(OPEN);
        }
        let mut count = 0;
        loop {
            let next = Element {
                reader: &mut *reader,
                depth: depth + 1,
            };
            if list.next_element_seed(next)?.is_none() {
                break;
            }
            count += 1;
        }
        match reader.shape.get_mut(depth) {
            Some(size) if *size == OPEN => *size = count,
            Some(size) if *size != count => {
                return Err(de::Error::custom(format_args!(
                    "a list has {count} elements, those before it have {size}"
                )));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Result<Vec<usize>, String> {
        let nested: Nested<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        assert_eq!(nested.values.len(), nested.shape.iter().product::<usize>());
        Ok(nested.shape)
    }

    #[test]
    fn shapes() {
        for (text, expected) in [
            ("5", vec![]),
            ("[]", vec![0]),
            ("[[]]", vec![1, 0]),
            ("[1, null, \"a\", true, 2.5]", vec![5]),
            ("[[1, 2], [3, 4], [5, 6]]", vec![3, 2]),
            ("[[[1, 2], [3, 4]]]", vec![1, 2, 2]),
        ] {
            assert_eq!(shape(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_rectangular() {
        for (text, part) in [
            (
                "[[1, 2], [3]]",
                "a list has 1 elements, those before it have 2",
            ),
            ("[[1], [2, 3]]", "a list has 2 elements"),
            ("[1, [2]]", "a list stands among values"),
            ("[[1], 2]", "a value stands among lists"),
            ("[[], 1]", "a value stands among lists"),
            ("[[], [1]]", "a list has 1 elements"),
            ("[[[1]], [2]]", "a value stands among lists"),
            ("[{}]", "invalid type: map"),
        ] {
            let error = shape(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
            assert!(error.contains("line 1 column"), "{text}: {error}");
        }
    }

    #[test]
    fn values_keep_their_type() {
        let text = r#"[9007199254740993, 18446744073709551615, -1, 1e2, "a\n", "b"]"#;
        let nested: Nested<'_> = serde_json::from_str(text).unwrap();
        let expected = [
            Scalar::Integer(9_007_199_254_740_993),
            Scalar::Unsigned(u64::MAX),
            Scalar::Integer(-1),
            Scalar::Float(100.0),
            Scalar::Text("a\n".into()),
            Scalar::Text("b".into()),
        ];
        assert!(nested.values.iter().eq(expected), "{nested:?}");
        let Values::Any(values) = &nested.values else {
            panic!("{nested:?}")
        };
        assert!(matches!(values[5], Scalar::Text(Cow::Borrowed(_))));
    }
}
