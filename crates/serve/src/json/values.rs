//! The values of a list in one flat buffer.

use model::Cell;

use super::{Scalar, TooMany};

/// Up to here double precision holds every whole number.
const EXACT: u64 = 1 << 53;

/// Values in the narrowest buffer that loses nothing of them.
#[derive(Debug, PartialEq)]
pub(crate) enum Values<'a> {
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Numbers with a point or exponent.
    Floats(Vec<f64>),
    /// Numbers of both kinds: many programs leave out a fraction of zero.
    Numbers {
        /// All of them.
        values: Vec<f64>,
        /// As many: which of them are whole.
        whole: Vec<bool>,
    },
    /// At least one is no number, or too large a whole one for the other buffers.
    Any(Vec<Scalar<'a>>),
}

impl Default for Values<'_> {
    /// None.
    fn default() -> Self {
        Self::Integers(Vec::new())
    }
}

impl<'a> Values<'a> {
    /// All of `values`.
    ///
    /// # Errors
    ///
    /// When they are too many that are not all numbers.
    pub(crate) fn of(values: impl IntoIterator<Item = Scalar<'a>>) -> Result<Self, TooMany> {
        let mut all = Self::default();
        for value in values {
            all.push(value)?;
        }
        Ok(all)
    }

    /// Adds a value.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub(crate) fn push(&mut self, value: Scalar<'a>) -> Result<(), TooMany> {
        match value {
            Scalar::Integer(value) => self.push_integer(value),
            Scalar::Float(value) => self.push_float(value),
            other => self.push_other(other),
        }
    }

    /// As [`Self::push`] of a [`Scalar::Integer`], which need not be one in memory.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "the number is exact")]
    pub(crate) fn push_integer(&mut self, value: i64) -> Result<(), TooMany> {
        match self {
            Self::Integers(values) => values.push(value),
            Self::Numbers { values, whole } if is_exact(value) => {
                values.push(value as f64);
                whole.push(true);
            }
            _ => return self.push_other(Scalar::Integer(value)),
        }
        Ok(())
    }

    /// As [`Self::push`] of what a number above zero is.
    #[inline]
    pub(crate) fn push_unsigned(&mut self, value: u64) -> Result<(), TooMany> {
        match i64::try_from(value) {
            Ok(value) => self.push_integer(value),
            Err(_) => self.push_other(Scalar::Unsigned(value)),
        }
    }

    /// As [`Self::push`] of a [`Scalar::Float`].
    #[inline]
    pub(crate) fn push_float(&mut self, value: f64) -> Result<(), TooMany> {
        match self {
            Self::Floats(values) => values.push(value),
            Self::Numbers { values, whole } => {
                values.push(value);
                whole.push(false);
            }
            _ => return self.push_other(Scalar::Float(value)),
        }
        Ok(())
    }

    /// Adds what the buffer may not hold.
    #[inline(never)]
    fn push_other(&mut self, value: Scalar<'a>) -> Result<(), TooMany> {
        if let Self::Any(values) = self {
            TooMany::check(values.len() + 1)?;
            values.push(value);
            return Ok(());
        }
        self.widen(&value)?;
        self.push(value)
    }

    /// Takes the buffer that holds `value` too.
    #[expect(clippy::cast_precision_loss, reason = "the numbers are exact")]
    fn widen(&mut self, value: &Scalar<'_>) -> Result<(), TooMany> {
        *self = match (std::mem::take(self), value) {
            (Self::Integers(none), Scalar::Float(_)) if none.is_empty() => Self::Floats(Vec::new()),
            (Self::Integers(values), Scalar::Float(_))
                if values.iter().all(|&value| is_exact(value)) =>
            {
                Self::Numbers {
                    whole: vec![true; values.len()],
                    values: values.into_iter().map(|value| value as f64).collect(),
                }
            }
            (Self::Floats(values), Scalar::Integer(value)) if is_exact(*value) => Self::Numbers {
                whole: vec![false; values.len()],
                values,
            },
            (narrow, _) => {
                TooMany::check(narrow.len())?;
                Self::Any(narrow.iter().map(Scalar::into_owned).collect())
            }
        };
        Ok(())
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Floats(values) | Self::Numbers { values, .. } => values.len(),
            Self::Any(values) => values.len(),
        }
    }

    /// As [`Self::len`] where they are not all numbers, else 0.
    pub(crate) fn others(&self) -> usize {
        match self {
            Self::Any(values) => values.len(),
            _ => 0,
        }
    }

    /// The value at `index`, as it was added.
    #[expect(clippy::cast_possible_truncation, reason = "the number is whole")]
    pub(crate) fn get(&self, index: usize) -> Option<Scalar<'_>> {
        Some(match self {
            Self::Integers(values) => Scalar::Integer(*values.get(index)?),
            Self::Floats(values) => Scalar::Float(*values.get(index)?),
            Self::Numbers { values, whole } => match (*values.get(index)?, whole.get(index)?) {
                (value, true) => Scalar::Integer(value as i64),
                (value, false) => Scalar::Float(value),
            },
            Self::Any(values) => values.get(index)?.borrowed(),
        })
    }

    /// The values as they were added.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Scalar<'_>> {
        (0..self.len()).map(|index| self.get(index).unwrap_or(Scalar::Null))
    }

    /// The value at `index` as a table's cell.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the graph's input has fewer digits"
    )]
    pub(crate) fn cell(&self, index: usize) -> Cell<'_> {
        let cell = match self {
            Self::Integers(values) => values.get(index).map(|&value| Cell::Number(value as f64)),
            Self::Floats(values) | Self::Numbers { values, .. } => {
                values.get(index).copied().map(Cell::Number)
            }
            Self::Any(values) => values.get(index).map(Scalar::cell),
        };
        cell.unwrap_or(Cell::Missing)
    }
}

fn is_exact(value: i64) -> bool {
    value.unsigned_abs() <= EXACT
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUGE: i64 = (1 << 53) + 1;

    /// A list with each of `kinds` among the values, in this order.
    fn of(kinds: &[Scalar<'static>]) -> Values<'static> {
        let values = Values::of(kinds.iter().cloned()).unwrap();
        assert!(values.iter().eq(kinds.iter().cloned()), "{values:?}");
        assert_eq!((values.len(), values.get(kinds.len())), (kinds.len(), None));
        values
    }

    #[test]
    fn the_narrowest_buffer_that_loses_nothing() {
        let [one, two, huge] = [1, 2, HUGE].map(Scalar::Integer);
        let half = Scalar::Float(0.5);
        let numbers = |values: &[f64], whole: &[bool]| Values::Numbers {
            values: values.to_vec(),
            whole: whole.to_vec(),
        };
        assert_eq!(of(&[]), Values::default());
        assert_eq!(
            of(&[one.clone(), huge.clone()]),
            Values::Integers(vec![1, HUGE])
        );
        assert_eq!(of(std::slice::from_ref(&half)), Values::Floats(vec![0.5]));
        for (kinds, expected) in [
            (
                [&one, &half, &two],
                numbers(&[1.0, 0.5, 2.0], &[true, false, true]),
            ),
            (
                [&half, &half, &two],
                numbers(&[0.5, 0.5, 2.0], &[false, false, true]),
            ),
            (
                [&half, &two, &half],
                numbers(&[0.5, 2.0, 0.5], &[false, true, false]),
            ),
        ] {
            assert_eq!(of(&kinds.map(Clone::clone)), expected);
        }
    }

    #[test]
    fn what_only_the_widest_buffer_holds() {
        let others = [
            Scalar::Null,
            Scalar::Bool(true),
            Scalar::Unsigned(u64::MAX),
            Scalar::Text("a".into()),
            Scalar::Bytes([0xff].as_slice().into()),
        ];
        let (one, half) = (Scalar::Integer(1), Scalar::Float(0.5));
        let huge = Scalar::Integer(HUGE);
        for other in others {
            for before in [
                vec![],
                vec![one.clone()],
                vec![half.clone()],
                vec![one.clone(), half.clone()],
            ] {
                let list = [before, vec![other.clone(), one.clone(), half.clone()]].concat();
                assert!(matches!(of(&list), Values::Any(_)), "{list:?}");
            }
        }
        for list in [
            vec![huge.clone(), half.clone()],
            vec![half.clone(), huge.clone()],
            vec![half, one, huge],
        ] {
            assert!(matches!(of(&list), Values::Any(_)), "{list:?}");
        }
    }
}
