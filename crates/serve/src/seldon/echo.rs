//! The conformance model: it gives back what it gets.

use serde_json::{Map, Value, json};

use super::array::{Array, Cells};
use super::message::{Meta, Payload};
use super::names::Names;
use super::pass;
use super::reply::{Body, Form, Outcome, Tags};
use crate::metrics::{MetricKind, ModelMetric};
use crate::problem::Problem;

/// The text that makes the model fail.
const FAIL: &str = "boom";

/// Which branch it routes to.
const BRANCH: i64 = 1;

/// Predicts, or transforms.
///
/// # Errors
///
/// When it is asked to fail, and as [`pass::body`].
pub(super) fn echo<'a>(payload: Payload<'a>, meta: &Meta) -> Result<Outcome<'a>, Problem> {
    Ok(outcome(fail_if_asked(pass::body(payload)?)?, meta))
}

/// Routes every message to the same branch.
///
/// # Errors
///
/// As [`echo`].
pub(super) fn route(payload: Payload<'_>, meta: &Meta) -> Result<Outcome<'static>, Problem> {
    fail_if_asked(pass::body(payload)?)?;
    let shape = vec![1, 1];
    let names = Names::counted(&shape);
    let cells = Cells::Ints(vec![BRANCH]);
    let body = Body::Ndarray(names, Array { shape, cells });
    Ok(outcome(body, meta))
}

/// The mean of the payloads, element by element, in the form of the first.
///
/// # Errors
///
/// When they are not arrays of numbers of one shape.
pub(super) fn aggregate(
    payloads: Vec<Payload<'_>>,
    meta: &Meta,
) -> Result<Outcome<'static>, Problem> {
    let mut form = None;
    let mut shape = Vec::new();
    let mut sums: Vec<f64> = Vec::new();
    let count = payloads.len();
    for payload in payloads {
        let Payload::Data(data) = payload else {
            return Err(not_numbers());
        };
        let (found, array) = pass::array(data)?;
        let values = array.doubles().ok_or_else(not_numbers)?;
        if form.is_none() {
            (form, shape, sums) = (Some(found), array.shape, values);
        } else if array.shape == shape {
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += value);
        } else {
            let other = array.shape;
            return Err(Problem::BadData(format!(
                "the messages have arrays of the shapes {shape:?} and {other:?}, expected one shape"
            )));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "not as many messages")]
    let count = count as f64;
    sums.iter_mut().for_each(|sum| *sum /= count);
    let names = Names::counted(&shape);
    let cells = Cells::Floats(sums);
    let form = form.unwrap_or(Form::Ndarray);
    let body = Body::of_array(form, names, Array { shape, cells });
    Ok(outcome(body, meta))
}

fn not_numbers() -> Problem {
    let text = "the conformance model aggregates only arrays of numbers, send data in each message";
    Problem::BadData(text.to_owned())
}

fn fail_if_asked(body: Body<'_>) -> Result<Body<'_>, Problem> {
    match body {
        Body::Text(text) if text == FAIL => Err(Problem::Internal("user model failed".to_owned())),
        body => Ok(body),
    }
}

fn outcome<'a>(body: Body<'a>, meta: &Meta) -> Outcome<'a> {
    let asked = meta.tags.as_ref().and_then(|tags| tags.get("emit"));
    if asked != Some(&Value::Bool(true)) {
        return body.into();
    }
    let metric = |kind, key: &str, value: Value, tags: &[(&str, &str)]| ModelMetric {
        kind,
        key: key.to_owned(),
        value,
        tags: tags
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    };
    Outcome {
        body,
        tags: Some(Tags::Any(Map::from_iter([(
            "emitted".to_owned(),
            json!("yes"),
        )]))),
        metrics: vec![
            metric(
                MetricKind::Counter,
                "echo_counter",
                json!(1),
                &[("kind", "c")],
            ),
            metric(MetricKind::Gauge, "echo_gauge", json!(22), &[]),
            metric(MetricKind::Timer, "echo_timer", json!(20.5), &[]),
        ],
    }
}
