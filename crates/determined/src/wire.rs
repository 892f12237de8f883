//! Decoding as the API gateway writes: 64-bit integers are texts, non-finite
//! numbers are texts, unset messages are `null`, and enumerations grow.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

/// The default for `null`; `#[serde(default)]` alone covers an absent key only.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Number {
    Integer(i64),
    Float(f64),
    Text(String),
}

/// A number that may be `null`, or a text such as `"NaN"` or `"-Infinity"`.
pub(crate) fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(match Option::deserialize(deserializer)? {
        None => None,
        // The conversion rounds above 2^53, as every reader of JSON does.
        Some(Number::Integer(number)) => Some(number as f64),
        Some(Number::Float(number)) => Some(number),
        // Rust reads the three spellings of protobuf.
        Some(Number::Text(text)) => Some(text.parse().map_err(D::Error::custom)?),
    })
}

/// A count of bytes, as a number or as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Number::deserialize(deserializer)? {
            Number::Integer(number) => u64::try_from(number).map_err(D::Error::custom)?,
            Number::Text(text) => text.parse().map_err(D::Error::custom)?,
            Number::Float(number) => {
                return Err(D::Error::custom(format!("{number} is no whole number")));
            }
        };
        Ok(Self(number))
    }
}

/// An enumeration of the API: the known members, and any other as its text, so
/// that a newer master breaks nothing.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
        #[serde(from = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A member that this version does not know.
            Other(String),
            /// The answer did not tell.
            #[default]
            Unspecified,
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)+
                    "" | "STATE_UNSPECIFIED" => Self::Unspecified,
                    _ => Self::Other(text),
                }
            }
        }

        impl std::fmt::Display for $name {
            /// The master's own word without `STATE_`, in lower case.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let text = match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                    Self::Unspecified => "unspecified",
                };
                let word = text.strip_prefix("STATE_").unwrap_or(text);
                f.write_str(&word.to_ascii_lowercase().replace('_', " "))
            }
        }
    };
}
pub(crate) use wire_enum;

/// Where a page of a list lies in the whole.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Pagination {
    #[serde(deserialize_with = "or_default")]
    pub(crate) end_index: u64,
    #[serde(deserialize_with = "or_default")]
    pub(crate) total: u64,
}

/// An answer that is one page of a list.
pub(crate) trait Page: DeserializeOwned {
    /// What the list holds.
    type Item;
    /// The page's items and its place.
    fn into_parts(self) -> (Vec<Self::Item>, Pagination);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Sample {
        #[serde(deserialize_with = "or_default")]
        name: String,
        #[serde(deserialize_with = "double")]
        metric: Option<f64>,
    }

    #[test]
    fn absent_and_null_are_the_default() {
        for text in ["{}", r#"{"name":null,"metric":null,"unknown":[1]}"#] {
            let sample: Sample = serde_json::from_str(text).unwrap();
            assert_eq!((sample.name.as_str(), sample.metric), ("", None));
        }
    }

    #[test]
    fn numbers_come_in_every_shape() {
        let metric = |text: &str| {
            let text = format!(r#"{{"metric":{text}}}"#);
            serde_json::from_str::<Sample>(&text).map(|s| s.metric)
        };
        assert_eq!(metric("0.5").unwrap(), Some(0.5));
        assert_eq!(metric("3").unwrap(), Some(3.0));
        assert!(metric("\"NaN\"").unwrap().unwrap().is_nan());
        assert_eq!(metric("\"Infinity\"").unwrap(), Some(f64::INFINITY));
        assert_eq!(metric("\"-Infinity\"").unwrap(), Some(f64::NEG_INFINITY));
        assert!(metric("\"many\"").is_err());
        let bytes = |text| serde_json::from_str::<Bytes>(text).map(|b| b.0);
        assert_eq!(bytes("\"94\"").unwrap(), 94);
        assert_eq!(bytes("94").unwrap(), 94);
        assert!(bytes("-1").is_err() && bytes("1.5").is_err());
    }
}
