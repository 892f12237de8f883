//! SeldonMessage as a reply.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::message::Meta;
use crate::predict::{Prediction, Predictor};
use crate::problem::Problem;

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
}

/// What stands where an image is not known, in the words of the Python wrapper.
const UNKNOWN_IMAGE: &str = "NOT_IMPLEMENTED:NOT_IMPLEMENTED";

#[derive(Serialize)]
struct Reply<'a> {
    data: DataReply<'a>,
    meta: MetaReply,
}

#[derive(Serialize)]
struct DataReply<'a> {
    names: &'a [String],
    #[serde(flatten)]
    array: Array<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Array<'a> {
    Tensor {
        shape: [usize; 2],
        values: &'a [f32],
    },
    Ndarray(Rows<'a>),
}

struct Rows<'a>(&'a Prediction);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

#[derive(Serialize)]
struct MetaReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    puid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Map<String, Value>>,
    #[serde(rename = "requestPath", skip_serializing_if = "Map::is_empty")]
    request_path: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Vec<Value>>,
}

/// The reply's bytes.
pub(super) fn write(
    predictor: &Predictor,
    prediction: &Prediction,
    form: Form,
    meta: Meta,
    node: &Node,
) -> Result<Vec<u8>, Problem> {
    let names = match predictor.labels.as_slice() {
        [] => std::slice::from_ref(&predictor.target),
        labels => labels,
    };
    let array = match form {
        Form::Tensor => Array::Tensor {
            shape: [prediction.rows, prediction.width],
            values: &prediction.values,
        },
        Form::Ndarray => Array::Ndarray(Rows(prediction)),
    };
    let reply = Reply {
        data: DataReply { names, array },
        meta: node.stamp(meta),
    };
    serde_json::to_vec(&reply).map_err(|e| Problem::Internal(e.to_string()))
}

/// The reply to `GET /health/status`.
pub(super) fn healthy(node: &Node) -> Value {
    let mut meta = Map::new();
    let path = node.stamp(Meta::default()).request_path;
    if !path.is_empty() {
        meta.insert("requestPath".to_owned(), path.into());
    }
    serde_json::json!({"meta": meta, "strData": "healthy"})
}

impl Node {
    fn stamp(&self, meta: Meta) -> MetaReply {
        let mut request_path = meta.request_path.unwrap_or_default();
        if let Some(id) = &self.id {
            let image = self.image.as_deref().unwrap_or(UNKNOWN_IMAGE);
            request_path.insert(id.clone(), image.into());
        }
        MetaReply {
            puid: meta.puid,
            tags: meta.tags,
            request_path,
            metrics: meta.metrics.filter(|_| self.with_metrics),
        }
    }
}
