//! What became of a prediction.

use super::array::{Array, Cells};
use super::message::{Data, Message, Payload};
use super::names::Names;
use super::reply::{Body, Node};
use super::source::Source;
use super::{convert, protojson};
use crate::app::App;
use crate::problem::Problem;
use crate::proto::seldon::protos::{Feedback, SeldonMessage};

/// Reads feedback that came as JSON: unlike the other messages, by the rules of
/// protocol buffers.
///
/// # Errors
///
/// When it is not such JSON.
pub(super) fn read(source: &Source) -> Result<Feedback, Problem> {
    protojson::read("seldon.protos.Feedback", &source.value()?)
        .map_err(|error| Problem::BadData(format!("the feedback: {error}")))
}

/// The JSON of a reply, by the same rules.
///
/// # Errors
///
/// When it cannot be written, which is a defect of this program.
pub(super) fn write(reply: &SeldonMessage) -> Result<Vec<u8>, Problem> {
    let json = protojson::write("seldon.protos.SeldonMessage", reply);
    let bytes = json.and_then(|json| serde_json::to_vec(&json).map_err(|e| e.to_string()));
    bytes.map_err(Problem::Internal)
}

/// Counts the reward.
///
/// # Errors
///
/// When the request that is judged is not a message, or the reward is not finite.
pub(super) fn receive(app: &App, feedback: Feedback) -> Result<SeldonMessage, Problem> {
    let reward = f64::from(feedback.reward);
    // Once added, it would be the sum for ever.
    if !reward.is_finite() {
        let text =
            format!("the reward is {reward}, which cannot be added up: send a finite number");
        return Err(Problem::BadData(text));
    }
    let reply = reply(&app.node, feedback)?;
    app.metrics.rewarded(reward);
    Ok(reply)
}

/// The reply, which has an empty array: of the kind of the request that is judged,
/// a tensor where it had none.
pub(super) fn reply(node: &Node, feedback: Feedback) -> Result<SeldonMessage, Problem> {
    let message = match feedback.request {
        Some(request) => convert::message(request)?,
        None => Message::default(),
    };
    let (payload, meta) = message.split();
    let array = Array {
        shape: vec![0],
        cells: Cells::Ints(Vec::new()),
    };
    let body = match payload {
        Some(Payload::Data(Data { tensor: None, .. })) => Body::Ndarray(Names::NONE, array),
        _ => Body::Tensor(Names::NONE, array),
    };
    convert::reply(node.reply(meta, "feedback", body.into()))
}
