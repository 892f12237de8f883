//! SeldonMessage as a request, the parts that a model of a table reads.

use std::fmt;

use serde::de::{self, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::json::{Nested, Object};

/// A request. Unknown keys are ignored, as the Python wrapper does.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(default)]
    pub(super) meta: Option<Object<Meta>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Object<Data<'a>>>,
    #[serde(rename = "jsonData", default)]
    pub(super) json_data: Option<Value>,
    #[serde(rename = "strData", default)]
    pub(super) str_data: Option<IgnoredAny>,
    #[serde(rename = "binData", default)]
    pub(super) bin_data: Option<IgnoredAny>,
}

/// What is passed on from the request to the reply. `routing` is not.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta {
    #[serde(default)]
    pub(super) puid: Option<String>,
    #[serde(default)]
    pub(super) tags: Option<Map<String, Value>>,
    #[serde(rename = "requestPath", default)]
    pub(super) request_path: Option<Map<String, Value>>,
    #[serde(default)]
    pub(super) metrics: Option<Vec<Value>>,
}

/// `data`. Where several arrays are given, the first of tensor, ndarray and
/// tftensor counts.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Data<'a> {
    #[serde(default)]
    pub(super) names: Option<Vec<String>>,
    #[serde(default)]
    pub(super) tensor: Option<Object<Tensor>>,
    #[serde(borrow, default)]
    pub(super) ndarray: Option<Nested<'a>>,
    #[serde(default)]
    pub(super) tftensor: Option<IgnoredAny>,
}

/// `data.tensor`: numbers in row-major order.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    #[serde(deserialize_with = "numbers")]
    pub(super) values: Vec<f64>,
}

fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    deserializer.deserialize_seq(Numbers)
}

struct Numbers;

impl<'de> Visitor<'de> for Numbers {
    type Value = Vec<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flat list of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Number(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number (a tensor holds nothing else, send text and null in data.ndarray)")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the graph's input has fewer digits"
    )]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the graph's input has fewer digits"
    )]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }
}
