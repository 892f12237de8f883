//! SeldonMessage as a request, whichever door it came through.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::json::{Holds, Nested, Object, Text, Values};
use crate::proto::tensorflow::TensorProto;

/// A request. Unknown keys are ignored, as the Python wrapper does.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(default)]
    pub(super) meta: Option<Object<Meta>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Object<Data<'a>>>,
    #[serde(rename = "jsonData", default)]
    pub(super) json_data: Option<Value>,
    #[serde(rename = "strData", borrow, default)]
    pub(super) str_data: Option<Cow<'a, str>>,
    #[serde(rename = "binData", default)]
    pub(super) bin_data: Option<Binary>,
    /// Only gRPC can carry it.
    #[serde(skip)]
    pub(super) custom_data: Option<prost_types::Any>,
}

impl Holds for Object<Message<'_>> {
    fn others(&self) -> usize {
        let Some(Object(data)) = &self.0.data else {
            return 0;
        };
        let tensor = data.tensor.as_ref().map(|tensor| &tensor.0.values);
        let ndarray = data.ndarray.as_ref().map(|nested| &nested.values);
        tensor.into_iter().chain(ndarray).map(Values::others).sum()
    }
}

/// What a message is about.
#[derive(Debug)]
pub(super) enum Payload<'a> {
    Data(Data<'a>),
    Json(Value),
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    Custom(prost_types::Any),
}

impl<'a> Message<'a> {
    /// The payload and the rest. Of several payloads, the first of data,
    /// jsonData, strData and binData counts.
    pub(super) fn split(self) -> (Option<Payload<'a>>, Meta) {
        let data = self.data.map(|data| Payload::Data(data.0));
        let payload = data
            .or_else(|| self.json_data.map(Payload::Json))
            .or_else(|| self.str_data.map(Payload::Text))
            .or_else(|| self.bin_data.map(|bytes| Payload::Bytes(bytes.0)))
            .or_else(|| self.custom_data.map(Payload::Custom));
        (payload, self.meta.map(|meta| meta.0).unwrap_or_default())
    }
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

impl Meta {
    /// This message's, with what `other` says added; the first `puid` stays.
    pub(super) fn merge(self, other: Self) -> Self {
        let maps = |a: Option<Map<_, _>>, b: Option<Map<_, _>>| match (a, b) {
            (Some(mut a), Some(b)) => {
                a.extend(b);
                Some(a)
            }
            (a, b) => a.or(b),
        };
        let metrics = match (self.metrics, other.metrics) {
            (Some(a), Some(b)) => Some(a.into_iter().chain(b).collect()),
            (a, b) => a.or(b),
        };
        Self {
            puid: self.puid,
            tags: maps(self.tags, other.tags),
            request_path: maps(self.request_path, other.request_path),
            metrics,
        }
    }
}

/// `data`. Where several arrays are given, the first of tensor, ndarray and
/// tftensor counts.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Data<'a> {
    #[serde(borrow, default)]
    pub(super) names: Option<Vec<Text<'a>>>,
    #[serde(default)]
    pub(super) tensor: Option<Object<Tensor>>,
    #[serde(borrow, default)]
    pub(super) ndarray: Option<Nested<'a>>,
    #[serde(default, deserialize_with = "super::tftensor::from_json")]
    pub(super) tftensor: Option<Box<TensorProto>>,
}

/// `data.tensor`: numbers in row-major order.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    #[serde(deserialize_with = "numbers")]
    pub(super) values: Values<'static>,
}

/// Reads a flat list of numbers.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Values<'static>, D::Error> {
    deserializer.deserialize_seq(NumbersVisitor)
}

struct NumbersVisitor;

impl<'de> Visitor<'de> for NumbersVisitor {
    type Value = Values<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flat list of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Values::default();
        while list.next_element_seed(Number(&mut values))?.is_some() {}
        Ok(values)
    }
}

/// A number, added to those before it.
struct Number<'v>(&'v mut Values<'static>);

impl<'de> DeserializeSeed<'de> for Number<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_f64(self)
    }
}

impl Visitor<'_> for Number<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number (a tensor holds nothing else, send text and null in data.ndarray)")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.0.push_float(value).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.0.push_integer(value).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.0.push_unsigned(value).map_err(E::custom)
    }
}

/// `binData`, which is base64 in JSON.
#[derive(Debug)]
pub(super) struct Binary(pub(super) Vec<u8>);

/// With or without the padding at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(BinaryVisitor)
    }
}

struct BinaryVisitor;

impl Visitor<'_> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes as a text of base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Binary, E> {
        let bytes = BASE64.decode(text);
        bytes.map(Binary).map_err(|error| {
            let why = format_args!("binData is not base64: {error}").to_string();
            E::custom(why)
        })
    }
}
