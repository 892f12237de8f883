//! The Open Inference Protocol (also called V2 or KServe) over HTTP.

mod binary;
mod columns;
mod convert;
mod datatype;
mod echo;
mod extension;
mod inputs;
mod metadata;
mod output;
mod reply;
mod request;
mod routes;
mod rpc;

pub(crate) use metadata::Signature;
pub(crate) use routes::{problem, router};
pub(crate) use rpc::{SERVICE, service};

use model::Lane;

use crate::models::Unit;
use crate::problem::Problem;
use extension::Body;
use reply::Reply;
use request::InferRequest;

/// Answers the inference request in a body, whose JSON has the `length` of the
/// header `Inference-Header-Content-Length`. It stands on a compute thread from
/// the bytes of the body to the bytes of the reply.
pub(crate) fn answer(
    unit: &Unit,
    lane: &Lane,
    body: &[u8],
    length: Option<usize>,
) -> Result<(usize, Body), Problem> {
    let request = extension::read(unit.signature(), body, length)?;
    infer(unit, lane, &request, |reply| {
        extension::write(reply, &request)
    })
}

/// Answers `request` in the form that `write` gives the reply.
fn infer<T>(
    unit: &Unit,
    lane: &Lane,
    request: &InferRequest<'_>,
    write: impl FnOnce(&Reply<'_>) -> Result<T, Problem>,
) -> Result<(usize, T), Problem> {
    request::check_parameters(request.parameters.as_ref())?;
    let reply = |outputs, outlier| Reply {
        model_name: unit.name(),
        model_version: unit.version(),
        id: request.id.as_deref(),
        outlier,
        outputs,
    };
    match unit {
        Unit::Package(model) => {
            let predictor = &model.predictor;
            let chosen = reply::chosen(predictor, request.outputs.as_deref())?;
            let features = inputs::features(predictor, &request.inputs)?;
            let prediction = predictor.predict(lane, features)?;
            let outputs = reply::tensors(predictor, &prediction, &chosen);
            Ok((prediction.rows, write(&reply(outputs, prediction.outlier))?))
        }
        Unit::Echo(_) => {
            let outputs = echo::outputs(request)?;
            Ok((1, write(&reply(outputs, None))?))
        }
    }
}
