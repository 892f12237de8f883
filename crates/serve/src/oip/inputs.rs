//! From input tensors to what the model takes.

use super::columns;
use super::request::{Input, Tensor};
use crate::input;
use crate::json::{Object, Scalar};
use crate::predict::{Features, Picture, Predictor, Takes};
use crate::problem::Problem;

/// The name of a picture model's input. Any other name is as good.
pub(super) const PICTURE: &str = "picture";

/// The name of a text model's input. Any other name is as good.
pub(super) const TEXT: &str = "text";

/// The features of a request.
pub(super) fn features(
    predictor: &Predictor,
    inputs: &[Object<Input<'_>>],
) -> Result<Features, Problem> {
    let tensors: Vec<Tensor<'_>> = inputs
        .iter()
        .map(|input| input.0.check())
        .collect::<Result<_, _>>()?;
    match &predictor.takes {
        Takes::Table(table) => Ok(Features::Rows(columns::rows(table, &tensors)?)),
        Takes::Pictures(_) => Ok(Features::Pictures(pictures(only(&tensors, PICTURE)?)?)),
        Takes::Texts(_) => {
            let tensor = only(&tensors, TEXT)?;
            let texts = input::texts(&named(tensor), tensor.values)?;
            Ok(Features::Texts(texts))
        }
    }
}

/// Picture files as a BYTES tensor, in base64 where it is JSON, or pixels as numbers.
fn pictures(tensor: &Tensor<'_>) -> Result<Vec<Picture>, Problem> {
    let what = named(tensor);
    if tensor.is_text {
        let file = |value: Scalar<'_>| match value {
            Scalar::Bytes(file) => Ok(Picture::Encoded(file.into_owned())),
            Scalar::Text(text) => input::base64(&what, &text),
            _ => Err(Problem::BadData(format!("{what} holds no picture file"))),
        };
        return tensor.values.iter().map(file).collect();
    }
    input::pixels(&what, tensor.shape, tensor.values)
}

fn only<'t, 'r>(tensors: &'t [Tensor<'r>], what: &str) -> Result<&'t Tensor<'r>, Problem> {
    match tensors {
        [only] => Ok(only),
        other => Err(Problem::BadData(format!(
            "there are {} inputs, expected one with each {what} as an element",
            other.len()
        ))),
    }
}

fn named(tensor: &Tensor<'_>) -> String {
    format!("input {:?}", tensor.name)
}
