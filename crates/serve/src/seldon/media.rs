//! The payload of a message as pictures or texts.

use serde_json::Value;

use super::message::{Data, Payload};
use super::package::bad;
use super::reply::Form;
use crate::input;
use crate::json::Scalar;
use crate::predict::{Features, Picture};
use crate::problem::Problem;

/// For which array the answer stands, and what the model is given.
type Taken = Result<(Form, Features), Problem>;

/// One picture file as `binData`, pixels as `data.tensor` or `data.ndarray` of
/// shape `[height, width, 3]`, or several with a dimension before, or picture
/// files in base64 as `data.ndarray` of texts.
///
/// # Errors
///
/// When the payload is something else.
pub(super) fn pictures(payload: Option<Payload<'_>>) -> Taken {
    match payload {
        Some(Payload::Data(data)) => pictures_of(data),
        Some(Payload::Bytes(file)) => {
            let pictures = vec![Picture::Encoded(file)];
            Ok((Form::Tensor, Features::Pictures(pictures)))
        }
        _ => Err(bad(
            "this model takes pictures, send the file as binData (base64), or the \
             pixels as data.tensor of shape [height, width, 3]",
        )),
    }
}

fn pictures_of(data: Data<'_>) -> Taken {
    let (form, pictures) = match (data.tensor, data.ndarray) {
        (Some(tensor), _) => {
            let pictures = input::pixels("data.tensor", &tensor.0.shape, &tensor.0.values)?;
            (Form::Tensor, pictures)
        }
        (None, Some(array)) if matches!(array.values.get(0), Some(Scalar::Text(_))) => {
            let files = input::texts("data.ndarray", &array.values)?;
            let files = files.iter().map(|file| input::base64("data.ndarray", file));
            (Form::Ndarray, files.collect::<Result<Vec<Picture>, _>>()?)
        }
        (None, Some(array)) => {
            let pictures = input::pixels("data.ndarray", &array.shape, &array.values)?;
            (Form::Ndarray, pictures)
        }
        (None, None) => {
            return Err(bad(
                "this model takes pictures, and data has neither tensor nor ndarray",
            ));
        }
    };
    Ok((form, Features::Pictures(pictures)))
}

/// One text as `strData`, or several as `data.ndarray` or `jsonData`.
///
/// # Errors
///
/// When the payload is something else.
pub(super) fn texts(payload: Option<Payload<'_>>) -> Taken {
    let (form, texts) = match payload {
        Some(Payload::Data(data)) => match data.ndarray {
            Some(texts) => (Form::Ndarray, input::texts("data.ndarray", &texts.values)?),
            None => return Err(no_text()),
        },
        Some(Payload::Json(json)) => (Form::Tensor, json_texts(json)?),
        Some(Payload::Text(text)) => (Form::Tensor, vec![text.into_owned()]),
        _ => return Err(no_text()),
    };
    Ok((form, Features::Texts(texts)))
}

fn json_texts(json: Value) -> Result<Vec<String>, Problem> {
    match json {
        Value::String(text) => Ok(vec![text]),
        Value::Array(texts) => texts
            .into_iter()
            .map(|text| match text {
                Value::String(text) => Ok(text),
                _ => Err(no_text()),
            })
            .collect(),
        _ => Err(no_text()),
    }
}

fn no_text() -> Problem {
    bad("this model takes texts, send one as strData, or several as data.ndarray of texts")
}
