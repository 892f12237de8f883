//! The datatypes of the protocol, and which JSON values they take.

use std::str::FromStr;

use crate::json::{Scalar, Values};

/// A datatype.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Bool,
    /// A signed integer of so many bits.
    Int(u32),
    /// An unsigned integer of so many bits.
    Uint(u32),
    /// A floating point number of so many bits.
    Float(u32),
    /// `BF16`, the upper half of a single, which exists in binary only.
    Brain,
    /// Texts.
    Bytes,
}

/// The protocol's words.
const NAMES: [(&str, Datatype); 14] = [
    ("BOOL", Datatype::Bool),
    ("INT8", Datatype::Int(8)),
    ("INT16", Datatype::Int(16)),
    ("INT32", Datatype::Int(32)),
    ("INT64", Datatype::Int(64)),
    ("UINT8", Datatype::Uint(8)),
    ("UINT16", Datatype::Uint(16)),
    ("UINT32", Datatype::Uint(32)),
    ("UINT64", Datatype::Uint(64)),
    ("FP16", Datatype::Float(16)),
    ("FP32", Datatype::Float(32)),
    ("FP64", Datatype::Float(64)),
    ("BF16", Datatype::Brain),
    (BYTES, Datatype::Bytes),
];

const BYTES: &str = "BYTES";

impl FromStr for Datatype {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = NAMES.into_iter().find(|(known, _)| *known == name);
        named.map(|(_, datatype)| datatype).ok_or_else(|| {
            format!(
                "unknown datatype {name:?}, expected BOOL, INT8 to INT64, UINT8 to UINT64, \
                 FP16, FP32, FP64, BF16 or BYTES"
            )
        })
    }
}

impl Datatype {
    /// Refuses values that are not of this type, with the place of the first. `null`
    /// is a missing value of any type.
    pub(super) fn check(self, values: &Values<'_>) -> Result<(), String> {
        let wrong = match (self, values) {
            (Self::Int(bits), Values::Integers(values)) => {
                values.iter().position(|&value| !fits_signed(value, bits))
            }
            (Self::Uint(bits), Values::Integers(values)) => {
                values.iter().position(|&value| !fits_unsigned(value, bits))
            }
            (Self::Float(32 | 64), Values::Integers(_)) => None,
            (Self::Float(bits), Values::Floats(values) | Values::Numbers { values, .. }) => {
                values.iter().position(|&value| !fits_float(value, bits))
            }
            _ => values.iter().position(|value| !self.fits(&value)),
        };
        let wrong = wrong.and_then(|index| Some((index + 1, values.get(index)?)));
        match wrong {
            Some((position, value)) => Err(format!("value {position} {}", self.refusal(&value))),
            None => Ok(()),
        }
    }

    fn fits(self, value: &Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Brain, _) => false,
            (_, Scalar::Null)
            | (Self::Bool, Scalar::Bool(_))
            | (Self::Bytes, Scalar::Text(_) | Scalar::Bytes(_))
            | (Self::Uint(64), Scalar::Unsigned(_)) => true,
            (Self::Int(bits), Scalar::Integer(value)) => fits_signed(*value, bits),
            (Self::Uint(bits), Scalar::Integer(value)) => fits_unsigned(*value, bits),
            (Self::Float(bits), value) => value.number().is_some_and(|v| fits_float(v, bits)),
            _ => false,
        }
    }

    fn refusal(self, value: &Scalar<'_>) -> String {
        if self == Self::Brain {
            return "is a BF16, which can be sent in binary only".to_owned();
        }
        let got = match value {
            Scalar::Null => "null",
            Scalar::Bool(_) => "a truth value",
            Scalar::Text(_) | Scalar::Bytes(_) => "a text",
            _ if matches!(self, Self::Bool | Self::Bytes) => "a number",
            Scalar::Integer(_) | Scalar::Unsigned(_) => "an integer out of its range",
            Scalar::Float(_) if matches!(self, Self::Float(_)) => "a number out of its range",
            Scalar::Float(_) => "a number with a fraction or exponent",
        };
        format!("is {got}, which {} does not hold", self.name())
    }

    /// Bytes of an element; `None` where each has its own length.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Self::Bool => Some(1),
            Self::Int(bits) | Self::Uint(bits) | Self::Float(bits) => {
                usize::try_from(bits / 8).ok()
            }
            Self::Brain => Some(2),
            Self::Bytes => None,
        }
    }

    /// The protocol's word.
    pub(super) fn name(self) -> &'static str {
        let named = NAMES.into_iter().find(|(_, datatype)| *datatype == self);
        named.map_or(BYTES, |(name, _)| name)
    }
}

fn fits_signed(value: i64, bits: u32) -> bool {
    let largest = i64::MAX >> (64 - bits);
    (-largest - 1..=largest).contains(&value)
}

fn fits_unsigned(value: i64, bits: u32) -> bool {
    u64::try_from(value).is_ok_and(|value| value <= u64::MAX >> (64 - bits))
}

fn fits_float(value: f64, bits: u32) -> bool {
    // The largest finite half, and the largest finite single.
    const LARGEST_HALF: f64 = 65504.0;
    // NaN and the infinities are values of each of them.
    !value.is_finite()
        || match bits {
            16 => value.abs() <= LARGEST_HALF,
            32 => value.abs() <= f64::from(f32::MAX),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(datatype: &str, json: &str) -> Result<(), String> {
        let nested: crate::json::Nested<'_> = serde_json::from_str(json).unwrap();
        datatype.parse::<Datatype>()?.check(&nested.values)
    }

    #[test]
    fn limits() {
        for (datatype, inside, outside) in [
            ("INT8", ["-128", "127"], ["-129", "128"]),
            ("UINT8", ["0", "255"], ["-1", "256"]),
            ("INT16", ["-32768", "32767"], ["-32769", "32768"]),
            ("UINT16", ["0", "65535"], ["-1", "65536"]),
            (
                "INT32",
                ["-2147483648", "2147483647"],
                ["-2147483649", "1.5"],
            ),
            ("UINT32", ["0", "4294967295"], ["4294967296", "1e3"]),
            (
                "INT64",
                ["-9223372036854775808", "9223372036854775807"],
                ["9223372036854775808", "\"1\""],
            ),
            ("UINT64", ["0", "18446744073709551615"], ["-1", "true"]),
            ("FP16", ["65504", "-0.5"], ["65505", "1e5"]),
            ("FP32", ["3.4e38", "1"], ["3.5e38", "\"1\""]),
            ("FP64", ["1e308", "18446744073709551615"], ["true", "\"a\""]),
            ("BOOL", ["true", "false"], ["1", "\"true\""]),
            ("BYTES", ["\"a\"", "\"\""], ["1", "false"]),
        ] {
            for json in inside.into_iter().chain(["null"]) {
                assert_eq!(check(datatype, json), Ok(()), "{datatype} {json}");
            }
            for json in outside {
                let error = check(datatype, json).unwrap_err();
                assert!(error.contains(datatype), "{datatype} {json}: {error}");
            }
        }
        assert!(check("BF16", "1").unwrap_err().contains("binary"));
        assert!(check("fp32", "1").unwrap_err().contains("unknown datatype"));
    }
}
