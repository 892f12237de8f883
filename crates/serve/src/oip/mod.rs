//! The Open Inference Protocol (also called V2 or KServe) over HTTP.

mod columns;
mod datatype;
mod metadata;
mod reply;
mod request;
mod routes;

pub(crate) use metadata::Signature;
pub(crate) use routes::{problem, router};

use model::Lane;

use crate::json;
use crate::predict::Predictor;
use crate::problem::Problem;
use request::InferRequest;

/// Answers one inference request. It stands on a compute thread from the bytes
/// of the body to the bytes of the reply.
pub(crate) fn answer(
    predictor: &Predictor,
    lane: &Lane,
    body: &[u8],
) -> Result<(usize, Vec<u8>), Problem> {
    let request: InferRequest<'_> = json::parse(body)?;
    request::check_parameters(request.parameters.as_ref())?;
    let chosen = reply::chosen(predictor, request.outputs.as_deref())?;
    let features = columns::features(&predictor.table, &request.inputs)?;
    let prediction = predictor.predict(lane, features)?;
    let body = reply::write(predictor, &prediction, &chosen, request.id)?;
    Ok((prediction.rows, body))
}
