//! SeldonMessage as a reply.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::array::{Array, Cells};
use super::lists::Lists;
use super::message::Meta;
use super::names::Names;
use super::tftensor;
use crate::metrics::ModelMetric;
use crate::monitor::Outlier;
use crate::problem::Problem;
use crate::proto::tensorflow::TensorProto;

/// The place of this container in the graph, which every reply names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// `PREDICTIVE_UNIT_ID`; without it, replies carry no `requestPath`.
    pub(crate) id: Option<String>,
    /// `PREDICTIVE_UNIT_IMAGE`.
    pub(crate) image: Option<String>,
    /// Whether replies carry `meta.metrics`
    /// (`INCLUDE_METRICS_IN_CLIENT_RESPONSE`).
    pub(crate) with_metrics: bool,
}

/// Which array the request held, and so the reply (the echo rule).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Tensor,
    Ndarray,
    Tftensor,
}

/// As many bytes have nearly all replies about one row.
const SHORT: usize = 256;

/// What stands where an image is not known, in the words of the Python wrapper.
const UNKNOWN_IMAGE: &str = "NOT_IMPLEMENTED:NOT_IMPLEMENTED";

/// What a unit gives, before a door writes it.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) body: Body<'a>,
    /// Tags of the model, which win over those of the request.
    pub(super) tags: Option<Tags>,
    /// Metrics of the model.
    pub(super) metrics: Vec<ModelMetric>,
}

/// The payload of a reply.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Tensor(Names<'a>, Array<'a>),
    Ndarray(Names<'a>, Array<'a>),
    Tftensor(Names<'a>, Box<TensorProto>),
    /// A list that is no array, because it has objects.
    List(Names<'a>, Value),
    Json(Value),
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    Custom(prost_types::Any),
}

impl<'a> Body<'a> {
    /// `array` in the `form` of the request; what are not numbers as an ndarray.
    pub(super) fn of_array(form: Form, names: Names<'a>, array: Array<'a>) -> Self {
        match form {
            _ if !array.is_numeric() => Self::Ndarray(names, array),
            Form::Ndarray => Self::Ndarray(names, array),
            Form::Tensor => Self::Tensor(names, array),
            Form::Tftensor => Self::Tftensor(names, Box::new(tftensor::encode(&array))),
        }
    }
}

impl<'a> From<Body<'a>> for Outcome<'a> {
    fn from(body: Body<'a>) -> Self {
        Self {
            body,
            tags: None,
            metrics: Vec::new(),
        }
    }
}

/// Tags, which are texts, numbers or anything else by name.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Tags {
    /// What watching has found out, mostly the only ones.
    Outlier(Outlier),
    Any(Map<String, Value>),
}

impl Tags {
    pub(super) fn into_map(self) -> Map<String, Value> {
        match self {
            Self::Outlier(outlier) => {
                let tags = outlier.tags().into_iter();
                tags.map(|(name, value)| (name.to_owned(), value)).collect()
            }
            Self::Any(tags) => tags,
        }
    }
}

/// A whole reply.
#[derive(Debug, Serialize)]
pub(super) struct Reply<'a> {
    #[serde(flatten, serialize_with = "body")]
    pub(super) body: Body<'a>,
    pub(super) meta: MetaReply,
}

#[derive(Debug, Serialize)]
pub(super) struct MetaReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) puid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Tags>,
    #[serde(rename = "requestPath", skip_serializing_if = "Map::is_empty")]
    pub(super) request_path: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metrics: Option<Vec<Value>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Payload<'a> {
    Data(Data<'a>),
    JsonData(&'a Value),
    StrData(&'a str),
    BinData(String),
}

#[derive(Serialize)]
struct Data<'a> {
    names: Names<'a>,
    #[serde(flatten)]
    array: Kind<'a>,
}

#[derive(Serialize)]
struct Flat<'a> {
    shape: &'a [usize],
    values: &'a Cells<'a>,
}

/// Each variant is a newtype: what is flattened is else copied once more.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind<'a> {
    Tensor(Flat<'a>),
    Ndarray(Lists<'a>),
    #[serde(rename = "ndarray")]
    List(&'a Value),
    Tftensor(Value),
}

fn body<S: Serializer>(body: &Body<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let data = |names: &_, array| {
        Payload::Data(Data {
            names: *names,
            array,
        })
    };
    let payload = match body {
        Body::Tensor(names, Array { shape, cells }) => data(
            names,
            Kind::Tensor(Flat {
                shape,
                values: cells,
            }),
        ),
        Body::Ndarray(names, array) => data(names, Kind::Ndarray(Lists(array))),
        Body::List(names, list) => data(names, Kind::List(list)),
        Body::Tftensor(names, tensor) => {
            let json = tftensor::to_json(tensor).map_err(serde::ser::Error::custom)?;
            data(names, Kind::Tftensor(json))
        }
        Body::Json(value) => Payload::JsonData(value),
        Body::Text(text) => Payload::StrData(text),
        Body::Bytes(bytes) => Payload::BinData(STANDARD.encode(bytes)),
        Body::Custom(_) => {
            return Err(serde::ser::Error::custom("customData has no JSON"));
        }
    };
    payload.serialize(serializer)
}

impl Reply<'_> {
    /// The reply as JSON.
    ///
    /// # Errors
    ///
    /// When it cannot be written, which is a defect of this program.
    pub(super) fn json(&self) -> Result<Vec<u8>, Problem> {
        let mut json = Vec::with_capacity(SHORT);
        let written = serde_json::to_writer(&mut json, self);
        written.map_err(|e| Problem::Internal(e.to_string()))?;
        Ok(json)
    }
}

/// The reply to `GET /health/status`.
pub(super) fn healthy(node: &Node) -> Reply<'static> {
    let body = Body::Text("healthy".into());
    node.reply(Meta::default(), "health", body.into())
}

impl Node {
    /// The reply with `outcome` to a message with `meta`, in which the metrics of
    /// the model name the `method` (of Seldon's metrics).
    pub(super) fn reply<'a>(&self, meta: Meta, method: &str, outcome: Outcome<'a>) -> Reply<'a> {
        let mut request_path = meta.request_path.unwrap_or_default();
        if let Some(id) = &self.id {
            let image = self.image.as_deref().unwrap_or(UNKNOWN_IMAGE);
            request_path.insert(id.clone(), image.into());
        }
        let tags = match (meta.tags, outcome.tags) {
            (Some(mut tags), Some(own)) => {
                tags.extend(own.into_map());
                Some(Tags::Any(tags))
            }
            (Some(tags), None) => Some(Tags::Any(tags)),
            (None, own) => own,
        };
        let own = outcome.metrics.iter().map(|metric| metric.json(method));
        let metrics: Vec<Value> = meta.metrics.into_iter().flatten().chain(own).collect();
        let shown = self.with_metrics && !metrics.is_empty();
        let meta = MetaReply {
            puid: meta.puid,
            tags,
            request_path,
            metrics: shown.then_some(metrics),
        };
        Reply {
            body: outcome.body,
            meta,
        }
    }
}
