//! What is done with a message, whichever door it came through.

use std::sync::Arc;

use super::message::{Message, Meta, Payload};
use super::reply::{Node, Outcome, Reply};
use super::{echo, package, pass};
use crate::metrics::ModelMetric;
use crate::models::Unit;
use crate::predict::{Predictor, Step};
use crate::problem::Problem;

/// The methods of a unit that take messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
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

/// Refuses a `method` that `unit` does not have, before its messages are read.
///
/// # Errors
///
/// When it is a package, which neither routes nor aggregates.
pub(super) fn check(unit: &Unit, method: Method) -> Result<(), Problem> {
    match (unit, method) {
        (Unit::Package(_), Method::Route | Method::Aggregate) => {
            Err(bad("a model neither routes nor aggregates"))
        }
        _ => Ok(()),
    }
}

/// The form of a door for a reply.
pub(super) type Write<T> = fn(Reply<'_>) -> Result<T, Problem>;

/// What a door gets for messages, with what it has for Prometheus.
pub(super) type Responded<T> = Result<Step<(T, Vec<ModelMetric>)>, Problem>;

/// Does `method`, which `unit` has, with `messages`, one of them but for the aggregate; the
/// reply is in the form of `write`.
///
/// # Errors
///
/// When a message is not what the unit takes, or the model fails.
pub(super) fn respond<T: 'static>(
    unit: &Unit,
    node: Arc<Node>,
    method: Method,
    messages: Vec<Message<'_>>,
    write: Write<T>,
) -> Responded<T> {
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
    let finish = move |meta: Meta, outcome: Outcome<'_>| {
        let metrics = outcome.metrics.clone();
        let reply = node.reply(meta, method.label(), outcome);
        Ok((write(reply)?, metrics))
    };
    let outcome = match (unit, method) {
        (Unit::Package(model), Method::Predict) => {
            let payload = payloads.into_iter().next().flatten();
            let (form, features) = package::features(&model.predictor, payload)?;
            let finish = move |predictor: &Predictor, prediction| {
                finish(meta, package::outcome(predictor, form, prediction))
            };
            return Ok(Step::Ask(features, Box::new(finish)));
        }
        _ => passed(unit, method, payloads, &meta)?,
    };
    Ok(Step::Done(0, finish(meta, outcome)?))
}

/// What a unit gives without a model.
fn passed<'a>(
    unit: &Unit,
    method: Method,
    payloads: Vec<Option<Payload<'a>>>,
    meta: &Meta,
) -> Result<Outcome<'a>, Problem> {
    let payloads: Option<Vec<_>> = payloads.into_iter().collect();
    let payloads = payloads
        .ok_or_else(|| bad("a message has no payload, send data, jsonData, strData or binData"))?;
    if method == Method::Aggregate {
        return echo::aggregate(payloads, meta);
    }
    let first = payloads.into_iter().next();
    let payload = first.ok_or_else(|| bad("there is no message"))?;
    match (unit, method) {
        (Unit::Package(_), _) => Ok(Outcome::from(pass::body(payload)?)),
        (Unit::Echo(_), Method::Route) => echo::route(payload, meta),
        (Unit::Echo(_), _) => echo::echo(payload, meta),
    }
}

fn bad(text: &str) -> Problem {
    Problem::BadData(text.to_owned())
}
