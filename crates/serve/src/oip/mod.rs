//! The Open Inference Protocol (also called V2 or KServe) over HTTP.

mod binary;
mod columns;
mod convert;
mod datatype;
mod echo;
mod extension;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod inputs;
mod metadata;
mod output;
mod reply;
mod request;
mod routes;
mod rpc;
mod told;

pub(crate) use metadata::Signature;
pub(crate) use routes::{called, infer, problem, router};
pub(crate) use rpc::{SERVICE, Service, service};

use crate::models::Unit;
use crate::predict::{Prediction, Predictor, Step};
use crate::problem::Problem;
use datatype::Datatype;
use extension::Body;
use reply::Reply;
use request::InferRequest;

/// Refuses a name that is no datatype of the protocol.
///
/// # Errors
///
/// With all that are.
pub(crate) fn check_datatype(name: &str) -> Result<(), String> {
    name.parse::<Datatype>().map(drop)
}

/// Reads the inference request in a body, whose JSON has the `length` of the header
/// `Inference-Header-Content-Length`.
pub(crate) fn answer(
    unit: &Unit,
    body: &[u8],
    length: Option<usize>,
) -> Result<Step<Body>, Problem> {
    let request = extension::read(unit.signature(), body, length)?;
    reply_to(unit, request, extension::write)
}

/// Answers `request` in the form that `write` gives the reply.
fn reply_to<T: 'static>(
    unit: &Unit,
    request: InferRequest<'_>,
    write: impl FnOnce(&Reply<'_>, &InferRequest<'_>) -> Result<T, Problem> + Send + 'static,
) -> Result<Step<T>, Problem> {
    request::check_parameters(request.parameters.as_ref())?;
    let model = match unit {
        Unit::Package(model) => model,
        Unit::Echo(_) => {
            let reply = Reply {
                model_name: unit.name(),
                model_version: unit.version(),
                id: request.id.as_deref(),
                outlier: None,
                outputs: echo::outputs(&request)?,
            };
            return Ok(Step::Done(1, write(&reply, &request)?));
        }
    };
    let chosen = reply::chosen(&model.predictor, request.outputs.as_deref())?;
    let features = inputs::features(&model.predictor, &request.inputs.0)?;
    let request = request.without_inputs();
    let finish = move |predictor: &Predictor, prediction: Prediction| {
        let reply = Reply {
            model_name: &predictor.name,
            model_version: &predictor.version,
            id: request.id.as_deref(),
            outlier: prediction.outlier,
            outputs: reply::tensors(predictor, &prediction, &chosen),
        };
        write(&reply, &request)
    };
    Ok(Step::Ask(features, Box::new(finish)))
}
