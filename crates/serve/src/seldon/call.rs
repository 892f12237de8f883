//! What is done with a message, whichever door it came through.

use model::Lane;

use super::message::{Message, Meta};
use super::reply::{Node, Outcome, Reply};
use super::{echo, package, pass};
use crate::metrics::ModelMetric;
use crate::models::Unit;
use crate::problem::Problem;

/// The methods of a unit that take messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Predict,
    TransformInput,
    TransformOutput,
    Route,
    Aggregate,
}

impl Method {
    /// Its name in Seldon's metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::TransformInput => "inputtransform",
            Self::TransformOutput => "outputtransform",
            Self::Route => "router",
            Self::Aggregate => "aggregate",
        }
    }
}

/// What a method gives.
pub(super) struct Answer<'a> {
    /// Rows that the model predicted.
    pub(super) rows: usize,
    pub(super) reply: Reply<'a>,
    /// For Prometheus.
    pub(super) metrics: Vec<ModelMetric>,
}

/// Does `method` of `unit` with `messages`, one of them but for the aggregate.
///
/// # Errors
///
/// When a message is not what the unit takes, the unit has no such method, or
/// the model fails.
pub(super) fn respond<'a>(
    unit: &Unit,
    lane: &Lane,
    node: &Node,
    method: Method,
    messages: Vec<Message<'a>>,
) -> Result<Answer<'a>, Problem> {
    let mut payloads = Vec::with_capacity(messages.len());
    let mut meta: Option<Meta> = None;
    for message in messages {
        let (payload, own) = message.split();
        payloads.push(payload);
        meta = Some(match meta {
            Some(meta) => meta.merge(own),
            None => own,
        });
    }
    let Some(meta) = meta else {
        return Err(bad("there are no messages to aggregate, send at least one"));
    };
    let (rows, outcome) = match (unit, method) {
        (Unit::Package(model), Method::Predict) => {
            let payload = payloads.into_iter().next().flatten();
            package::predict(&model.predictor, lane, payload)?
        }
        (Unit::Package(_), Method::Route | Method::Aggregate) => {
            return Err(bad("a model neither routes nor aggregates"));
        }
        _ => {
            let payloads: Option<Vec<_>> = payloads.into_iter().collect();
            let payloads = payloads.ok_or_else(|| {
                bad("a message has no payload, send data, jsonData, strData or binData")
            })?;
            let outcome = match (unit, method) {
                (_, Method::Aggregate) => echo::aggregate(payloads, &meta)?,
                _ => {
                    let first = payloads.into_iter().next();
                    let payload = first.ok_or_else(|| bad("there is no message"))?;
                    match (unit, method) {
                        (Unit::Package(_), _) => Outcome::from(pass::body(payload)?),
                        (Unit::Echo(_), Method::Route) => echo::route(payload, &meta)?,
                        (Unit::Echo(_), _) => echo::echo(payload, &meta)?,
                    }
                }
            };
            (0, outcome)
        }
    };
    let metrics = outcome.metrics.clone();
    Ok(Answer {
        rows,
        reply: node.reply(meta, method.label(), outcome),
        metrics,
    })
}

fn bad(text: &str) -> Problem {
    Problem::BadData(text.to_owned())
}
