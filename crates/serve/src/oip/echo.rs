//! The conformance model: every input is an output of the same name, datatype and
//! shape.

use super::output::{Data, OutputTensor};
use super::request::{InferRequest, check_parameters};
use crate::json::Object;
use crate::problem::Problem;

/// The inputs of `request`, or those that it names.
pub(super) fn outputs<'a>(request: &'a InferRequest<'_>) -> Result<Vec<OutputTensor<'a>>, Problem> {
    let inputs = request.inputs.0.iter().map(|Object(input)| {
        let tensor = input.check()?;
        Ok(OutputTensor {
            name: tensor.name,
            shape: tensor.shape.to_vec(),
            datatype: tensor.datatype,
            data: Data::Sent(tensor.values),
        })
    });
    let mut inputs: Vec<OutputTensor<'a>> = inputs.collect::<Result<_, Problem>>()?;
    let requested = match request.outputs.as_deref() {
        None | Some([]) => return Ok(inputs),
        Some(requested) => requested,
    };
    let take = |Object(wanted): &Object<super::request::RequestedOutput>| {
        check_parameters(wanted.parameters.as_ref())?;
        let place = inputs.iter().position(|tensor| tensor.name == wanted.name);
        let place = place.ok_or_else(|| {
            let name = &wanted.name;
            Problem::BadData(format!(
                "unknown output {name:?}, it is no input of the request"
            ))
        })?;
        Ok(inputs.swap_remove(place))
    };
    requested.iter().map(take).collect()
}
