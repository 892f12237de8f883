//! From what every protocol can carry to pictures and texts: the values are
//! those of the request, in whatever message they came.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

use crate::json::{Scalar, Values};
use crate::predict::Picture;
use crate::problem::Problem;

/// The picture file in `text`, which is base64.
///
/// # Errors
///
/// When it is not.
pub(crate) fn base64(what: &str, text: &str) -> Result<Picture, Problem> {
    let bytes = STANDARD.decode(text);
    let bytes = bytes.map_err(|error| bad(format!("{what} is not base64: {error}")))?;
    Ok(Picture::Encoded(bytes))
}

/// The pictures in a tensor of shape `[height, width, 3]`, or with the number of
/// pictures before; the values, 0 to 255, are red, green and blue of each pixel.
///
/// # Errors
///
/// When it has another shape, or values that are no pixels.
pub(crate) fn pixels(
    what: &str,
    shape: &[usize],
    values: &Values<'_>,
) -> Result<Vec<Picture>, Problem> {
    let (count, height, width) = match *shape {
        [height, width, 3] => (1, height, width),
        [count, height, width, 3] => (count, height, width),
        _ => {
            return Err(bad(format!(
                "{what} has the shape {shape:?}, expected [height, width, 3] for one picture, or \
                 [pictures, height, width, 3]"
            )));
        }
    };
    let size = shape.iter().try_fold(1, |n: usize, &d| n.checked_mul(d));
    let found = values.len();
    if size != Some(found) {
        return Err(bad(format!(
            "{what} has {found} values, which do not fill the shape {shape:?}"
        )));
    }
    if found == 0 {
        return Err(bad(format!("{what} has no pixels, its shape is {shape:?}")));
    }
    let side = |side: usize| u32::try_from(side).map_err(|_| bad(format!("{what} is too large")));
    let (height, width) = (side(height)?, side(width)?);
    let bytes = bytes(values).map_err(|position| {
        bad(format!(
            "{what}: value {position} is no number from 0 to 255, as those of a pixel are"
        ))
    })?;
    let pictures = bytes.chunks_exact(found / count.max(1));
    let picture = |values: &[u8]| Picture::Pixels {
        height,
        width,
        values: values.to_vec(),
    };
    Ok(pictures.map(picture).collect())
}

/// The texts in `values`.
///
/// # Errors
///
/// At the first value that is none.
pub(crate) fn texts(what: &str, values: &Values<'_>) -> Result<Vec<String>, Problem> {
    let text = |(index, value): (usize, Scalar<'_>)| match value {
        Scalar::Text(text) => Ok(text.into_owned()),
        _ => Err(bad(format!("{what}: value {} is no text", index + 1))),
    };
    values.iter().enumerate().map(text).collect()
}

/// `values` as those of pixels, or the place, from 1, of the first that is none.
fn bytes(values: &Values<'_>) -> Result<Vec<u8>, usize> {
    match values {
        Values::Integers(values) => all(values.iter().map(|&value| u8::try_from(value).ok())),
        Values::Floats(values) | Values::Numbers { values, .. } => {
            all(values.iter().map(|&value| byte(value)))
        }
        Values::Any(values) => all(values.iter().map(|value| value.number().and_then(byte))),
    }
}

fn all(values: impl ExactSizeIterator<Item = Option<u8>>) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(values.len());
    for (index, value) in values.enumerate() {
        bytes.push(value.ok_or(index + 1)?);
    }
    Ok(bytes)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn byte(value: f64) -> Option<u8> {
    let is_byte = (0.0..=255.0).contains(&value);
    is_byte.then(|| value.round() as u8)
}

fn bad(text: String) -> Problem {
    Problem::BadData(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shape: &[usize], values: &[f64]) -> Result<Vec<Picture>, String> {
        pixels("x", shape, &Values::Floats(values.to_vec())).map_err(|e| e.to_string())
    }

    #[test]
    fn shapes_of_pictures() {
        let picture = |height, width, values: &[u8]| Picture::Pixels {
            height,
            width,
            values: values.to_vec(),
        };
        let one = of(&[1, 2, 3], &[0.0, 1.4, 1.6, 255.0, 254.5, 3.0]);
        assert_eq!(one, Ok(vec![picture(1, 2, &[0, 1, 2, 255, 255, 3])]));
        let two = of(&[2, 1, 1, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let expected = vec![picture(1, 1, &[1, 2, 3]), picture(1, 1, &[4, 5, 6])];
        assert_eq!(two, Ok(expected));
    }

    #[test]
    fn what_is_no_picture() {
        for (shape, values, part) in [
            (&[1, 1, 4][..], &[0.0; 4][..], "expected [height, width, 3]"),
            (&[3], &[0.0; 3], "expected [height, width, 3]"),
            (&[2, 1, 3], &[0.0; 3], "3 values, which do not fill"),
            (&[usize::MAX, 2, 3], &[0.0; 3], "do not fill"),
            (&[0, 5, 5, 3], &[], "has no pixels"),
            (&[0, 5, 3], &[], "has no pixels"),
            (
                &[1, 1, 3],
                &[0.0, 256.0, 0.0],
                "value 2 is no number from 0",
            ),
            (&[1, 1, 3], &[0.0, 0.0, -1.0], "value 3 is no number from 0"),
            (&[1, 1, 3], &[f64::NAN, 0.0, 0.0], "value 1 is no number"),
        ] {
            let error = of(shape, values).unwrap_err();
            assert!(error.contains(part), "{shape:?}: {error}");
        }
    }
}
