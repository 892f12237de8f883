//! Between the messages of gRPC and those of the unit.

use std::collections::HashMap;

use prost_types::value::Kind;
use prost_types::{ListValue, Struct};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::array::Array;
use super::message::{Binary, Data, Message, Meta, Tensor};
use super::names::Names;
use super::reply::{Body, MetaReply, Reply, Tags};
use crate::json::{self, Nested, Object, Text, Values};
use crate::problem::Problem;
use crate::proto::seldon::protos as proto;
use crate::proto::seldon::protos::default_data::DataOneof as ArrayOneof;
use crate::proto::seldon::protos::metric::MetricType;
use crate::proto::seldon::protos::seldon_message::DataOneof;

/// A request.
///
/// # Errors
///
/// When it has an array that is none, or a number that JSON does not have where a
/// message of JSON would have it.
pub(super) fn message(message: proto::SeldonMessage) -> Result<Message<'static>, Problem> {
    let mut found = Message {
        meta: message.meta.map(of_meta).transpose()?.map(Object),
        ..Message::default()
    };
    match message.data_oneof {
        Some(DataOneof::Data(data)) => found.data = Some(Object(of_data(data)?)),
        Some(DataOneof::JsonData(value)) => found.json_data = Some(json("jsonData", value)?),
        Some(DataOneof::StrData(text)) => found.str_data = Some(text.into()),
        Some(DataOneof::BinData(bytes)) => found.bin_data = Some(Binary(bytes)),
        Some(DataOneof::CustomData(any)) => found.custom_data = Some(any),
        None => {}
    }
    Ok(found)
}

fn of_data(data: proto::DefaultData) -> Result<Data<'static>, Problem> {
    let mut found = Data {
        names: Some(data.names.into_iter().map(Text::from).collect()),
        ..Data::default()
    };
    match data.data_oneof {
        Some(ArrayOneof::Tensor(tensor)) => {
            let sizes = tensor.shape.iter().map(|&size| usize::try_from(size));
            let shape: Result<_, _> = sizes.collect();
            let shape = shape.map_err(|_| {
                let shape = &tensor.shape;
                Problem::BadData(format!("data.tensor has a negative size in {shape:?}"))
            })?;
            let values = Values::Floats(tensor.values);
            found.tensor = Some(Object(Tensor { shape, values }));
        }
        Some(ArrayOneof::Ndarray(list)) => {
            let key = "data.ndarray";
            let nested = Nested::deserialize(list_json(key, list)?);
            let nested = nested.map_err(|e| json::problem(&e, |e| format!("{key}: {e}")))?;
            found.ndarray = Some(nested);
        }
        Some(ArrayOneof::Tftensor(tensor)) => found.tftensor = Some(Box::new(tensor)),
        None => {}
    }
    Ok(found)
}

fn of_meta(meta: proto::Meta) -> Result<Meta, Problem> {
    let tags = fields("meta.tags", meta.tags)?;
    let path = meta.request_path.into_iter();
    let path: Map<_, _> = path.map(|(k, v)| (k, v.into())).collect();
    let metrics = meta.metrics.into_iter().map(of_metric);
    Ok(Meta {
        puid: Some(meta.puid).filter(|puid| !puid.is_empty()),
        tags: Some(tags).filter(|tags| !tags.is_empty()),
        request_path: Some(path),
        metrics: Some(metrics.collect::<Result<_, _>>()?),
    })
}

fn of_metric(metric: proto::Metric) -> Result<Value, Problem> {
    let kind = MetricType::try_from(metric.r#type).unwrap_or_default();
    let mut found = Map::from_iter([
        ("key".to_owned(), metric.key.into()),
        ("type".to_owned(), kind.as_str_name().into()),
        (
            "value".to_owned(),
            number("meta.metrics", metric.value.into())?,
        ),
    ]);
    if !metric.tags.is_empty() {
        let tags = metric.tags.into_iter();
        let tags: Map<_, _> = tags.map(|(name, value)| (name, value.into())).collect();
        found.insert("tags".to_owned(), tags.into());
    }
    Ok(found.into())
}

/// The `value` of a message's `key`.
fn json(key: &str, value: prost_types::Value) -> Result<Value, Problem> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(value)) => number(key, value)?,
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::ListValue(list)) => list_json(key, list)?,
        Some(Kind::StructValue(found)) => Value::Object(fields(key, found.fields)?),
    })
}

fn list_json(key: &str, list: ListValue) -> Result<Value, Problem> {
    let values = list.values.into_iter().map(|value| json(key, value));
    values.collect::<Result<_, _>>().map(Value::Array)
}

fn fields(
    key: &str,
    fields: impl IntoIterator<Item = (String, prost_types::Value)>,
) -> Result<Map<String, Value>, Problem> {
    let fields = fields.into_iter();
    let fields = fields.map(|(name, value)| Ok((name, json(key, value)?)));
    fields.collect()
}

fn number(key: &str, value: f64) -> Result<Value, Problem> {
    // JSON would make a null of it, which is another value.
    let none = || {
        Problem::BadData(format!(
            "{key} has the number {value}, which only data.tensor and data.tftensor hold; \
             send null for a missing value"
        ))
    };
    Number::from_f64(value).map(Value::Number).ok_or_else(none)
}

/// A reply.
///
/// # Errors
///
/// When it cannot be written, which is a defect of this program.
pub(super) fn reply(reply: Reply<'_>) -> Result<proto::SeldonMessage, Problem> {
    let data = |names: Names<'_>, array| {
        DataOneof::Data(proto::DefaultData {
            names: names.to_vec(),
            data_oneof: Some(array),
        })
    };
    let payload = match reply.body {
        Body::Tensor(names, array) => data(names, ArrayOneof::Tensor(tensor(&array)?)),
        Body::Ndarray(names, array) => data(names, ArrayOneof::Ndarray(lists(&array)?)),
        Body::Tftensor(names, tensor) => data(names, ArrayOneof::Tftensor(*tensor)),
        Body::List(names, list) => data(names, ArrayOneof::Ndarray(list_value(list))),
        Body::Json(value) => DataOneof::JsonData(value_of(value)),
        Body::Text(text) => DataOneof::StrData(text.into_owned()),
        Body::Bytes(bytes) => DataOneof::BinData(bytes),
        Body::Custom(any) => DataOneof::CustomData(any),
    };
    Ok(proto::SeldonMessage {
        status: None,
        meta: Some(meta(reply.meta)),
        data_oneof: Some(payload),
    })
}

fn tensor(array: &Array<'_>) -> Result<proto::Tensor, Problem> {
    let sizes = array.shape.iter().map(|&size| i32::try_from(size));
    let shape: Result<_, _> = sizes.collect();
    let too_large = |_| Problem::Internal("the array is too large for a tensor".to_owned());
    Ok(proto::Tensor {
        shape: shape.map_err(too_large)?,
        values: array.doubles().unwrap_or_default(),
    })
}

fn lists(array: &Array<'_>) -> Result<ListValue, Problem> {
    let value = serde_json::to_value(super::lists::Lists(array));
    let value = value.map_err(|error| Problem::Internal(error.to_string()))?;
    Ok(list_value(value))
}

/// `value` as a list: gRPC has no array without dimensions.
fn list_value(value: Value) -> ListValue {
    let values = match value {
        Value::Array(values) => values,
        single => vec![single],
    };
    ListValue {
        values: values.into_iter().map(value_of).collect(),
    }
}

fn value_of(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(_) => Kind::ListValue(list_value(value)),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let fields = fields
                .map(|(name, value)| (name, value_of(value)))
                .collect();
            Kind::StructValue(Struct { fields })
        }
    };
    prost_types::Value { kind: Some(kind) }
}

fn meta(meta: MetaReply) -> proto::Meta {
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let tags = meta.tags.map(Tags::into_map).into_iter().flatten();
    let path = meta.request_path.into_iter();
    let metrics = meta.metrics.into_iter().flatten();
    proto::Meta {
        puid: meta.puid.unwrap_or_default(),
        tags: tags.map(|(name, value)| (name, value_of(value))).collect(),
        routing: HashMap::new(),
        request_path: path.map(|(name, value)| (name, text(value))).collect(),
        metrics: metrics.map(|metric| metric_of(&metric)).collect(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the message has a float")]
fn metric_of(metric: &Value) -> proto::Metric {
    let text = |key: &str| metric.get(key).and_then(Value::as_str).unwrap_or_default();
    let tags = metric.get("tags").and_then(Value::as_object);
    let tags = tags.into_iter().flatten();
    let value = metric.get("value").and_then(Value::as_f64);
    proto::Metric {
        key: text("key").to_owned(),
        r#type: MetricType::from_str_name(text("type"))
            .unwrap_or_default()
            .into(),
        value: value.unwrap_or_default() as f32,
        tags: tags
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
    }
}
