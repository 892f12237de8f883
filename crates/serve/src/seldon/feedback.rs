//! What became of a prediction.

use super::array::{Array, Cells};
use super::convert;
use super::message::{Data, Message, Payload};
use super::reply::Body;
use crate::app::App;
use crate::problem::Problem;
use crate::proto::seldon::protos::{Feedback, SeldonMessage};

/// Counts the reward. The reply has an empty array: of the kind of the request
/// that is judged, a tensor where it had none.
///
/// # Errors
///
/// When that request is not a message.
pub(super) fn receive(app: &App, feedback: Feedback) -> Result<SeldonMessage, Problem> {
    let message = match feedback.request {
        Some(request) => convert::message(request)?,
        None => Message::default(),
    };
    let (payload, meta) = message.split();
    app.metrics.rewarded(feedback.reward.into());
    let array = Array {
        shape: vec![0],
        cells: Cells::Ints(Vec::new()),
    };
    let body = match payload {
        Some(Payload::Data(Data { tensor: None, .. })) => Body::Ndarray(Vec::new(), array),
        _ => Body::Tensor(Vec::new(), array),
    };
    convert::reply(app.node.reply(meta, "feedback", body.into()))
}
