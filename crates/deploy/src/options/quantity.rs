//! Amounts of CPU and memory, as Kubernetes writes them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::text_type;

/// An amount, `500m` or `1Gi`, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quantity(String);

/// A text that is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount: expected a number and a unit, as 500m, 2, 512Mi or 1.5Gi")]
pub struct QuantityError(String);

/// The units of Kubernetes' quantities; none is one.
const UNITS: [&str; 15] = [
    "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi",
];

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|c: char| c != '.' && !c.is_ascii_digit());
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let plain = number.starts_with(|c: char| c.is_ascii_digit());
        if !plain || number.parse::<f64>().is_err() || !UNITS.contains(&unit) {
            return Err(QuantityError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

text_type!(Quantity, QuantityError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for good in ["1", "500m", "0.5", "1.5Gi", "512Mi", "100k"] {
            assert!(good.parse::<Quantity>().is_ok(), "{good}");
        }
        for bad in ["", "Mi", "-1", "1 Gi", "1GB", "1.2.3", ".5", "1gi", "five"] {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
    }
}
