//! Tensors as raw bytes: little-endian, row-major, without padding; BOOL is one
//! byte, an element of BYTES its length in four bytes and then itself.

use std::borrow::Cow;

use super::datatype::Datatype;
use crate::json::{Scalar, TooMany, Values};

/// Why raw bytes are not read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// They are not what was announced.
    Bad(String),
    /// They hold more than may be kept.
    TooMany(TooMany),
}

impl From<String> for ReadError {
    fn from(text: String) -> Self {
        Self::Bad(text)
    }
}

impl From<TooMany> for ReadError {
    fn from(error: TooMany) -> Self {
        Self::TooMany(error)
    }
}

/// Reads `size` elements, all of `bytes`.
pub(super) fn read(datatype: Datatype, size: usize, bytes: &[u8]) -> Result<Values<'_>, ReadError> {
    let Some(width) = datatype.width() else {
        return read_texts(size, bytes);
    };
    let found = bytes.len();
    let wanted = size.checked_mul(width);
    if wanted != Some(found) {
        let text = format!("{found} bytes do not fill its shape: {size} values of {width} bytes");
        return Err(text.into());
    }
    let single = |bits: u32| f32::from_bits(bits).into();
    Ok(match datatype {
        Datatype::Int(8) => Values::Integers(each(bytes, |b| i8::from_le_bytes(b).into())),
        Datatype::Int(16) => Values::Integers(each(bytes, |b| i16::from_le_bytes(b).into())),
        Datatype::Int(32) => Values::Integers(each(bytes, |b| i32::from_le_bytes(b).into())),
        Datatype::Int(_) => Values::Integers(each(bytes, i64::from_le_bytes)),
        Datatype::Uint(8) => Values::Integers(each(bytes, |b| u8::from_le_bytes(b).into())),
        Datatype::Uint(16) => Values::Integers(each(bytes, |b| u16::from_le_bytes(b).into())),
        Datatype::Uint(32) => Values::Integers(each(bytes, |b| u32::from_le_bytes(b).into())),
        Datatype::Uint(_) => Values::of(elements(bytes, |b| u64::from_le_bytes(b).into()))?,
        Datatype::Float(16) => Values::Floats(each(bytes, |b| half(u16::from_le_bytes(b)))),
        Datatype::Float(32) => Values::Floats(each(bytes, |b| single(u32::from_le_bytes(b)))),
        Datatype::Float(_) => Values::Floats(each(bytes, f64::from_le_bytes)),
        Datatype::Brain => {
            let upper = |b| u32::from(u16::from_le_bytes(b)) << 16;
            Values::Floats(each(bytes, |b| single(upper(b))))
        }
        Datatype::Bool => Values::of(bytes.iter().map(|&byte| Scalar::Bool(byte != 0)))?,
        // Read before, by their lengths.
        Datatype::Bytes => Values::default(),
    })
}

/// The elements of `N` bytes each.
fn elements<const N: usize, T>(
    bytes: &[u8],
    value: impl Fn([u8; N]) -> T,
) -> impl Iterator<Item = T> {
    bytes.as_chunks().0.iter().map(move |&chunk| value(chunk))
}

fn each<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    elements(bytes, value).collect()
}

fn read_texts(size: usize, bytes: &[u8]) -> Result<Values<'_>, ReadError> {
    // Each element has its length: a shape beyond that is not allocated.
    if size > bytes.len() / 4 {
        let found = bytes.len();
        let text = format!("{found} bytes do not hold {size} elements of BYTES");
        return Err(text.into());
    }
    let mut rest = bytes;
    TooMany::check(size)?;
    let mut values = Vec::with_capacity(size);
    for number in 1..=size {
        let short = || format!("element {number} of BYTES is longer than what was sent");
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short())?;
        let (value, after) = after.split_at_checked(length).ok_or_else(short)?;
        values.push(text(value));
        rest = after;
    }
    match rest.len() {
        0 => Ok(Values::Any(values)),
        more => Err(format!("{more} bytes follow the {size} elements of BYTES").into()),
    }
}

/// An element of BYTES: a text if it is one.
pub(super) fn text(bytes: &[u8]) -> Scalar<'_> {
    match str::from_utf8(bytes) {
        Ok(text) => Scalar::Text(Cow::Borrowed(text)),
        Err(_) => Scalar::Bytes(bytes.into()),
    }
}

/// Appends an element.
#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers are written as wide as their datatype, against which they were checked"
)]
pub(super) fn write(
    datatype: Datatype,
    value: &Scalar<'_>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let width = datatype.width().unwrap_or_default();
    let mut put = |bytes: [u8; 8]| out.extend(bytes.iter().take(width));
    match (datatype, value) {
        (Datatype::Bool, Scalar::Bool(value)) => put(u64::from(*value).to_le_bytes()),
        (Datatype::Int(_) | Datatype::Uint(_), Scalar::Integer(value)) => put(value.to_le_bytes()),
        (Datatype::Uint(_), Scalar::Unsigned(value)) => put(value.to_le_bytes()),
        (Datatype::Float(16), value) => put(u64::from(to_half(number(value)?)).to_le_bytes()),
        (Datatype::Float(32), value) => {
            put(u64::from((number(value)? as f32).to_bits()).to_le_bytes());
        }
        (Datatype::Brain, value) => {
            // It came in binary, so that its lower half is empty.
            put(u64::from((number(value)? as f32).to_bits() >> 16).to_le_bytes());
        }
        (Datatype::Float(_), value) => put(number(value)?.to_le_bytes()),
        (Datatype::Bytes, Scalar::Text(text)) => return put_text(text.as_bytes(), out),
        (Datatype::Bytes, Scalar::Bytes(bytes)) => return put_text(bytes, out),
        _ => return Err("a missing value (null) cannot be sent in binary".to_owned()),
    }
    Ok(())
}

fn put_text(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let length =
        u32::try_from(bytes.len()).map_err(|_| "a text is longer than 4 GiB".to_owned())?;
    out.extend(length.to_le_bytes());
    out.extend(bytes);
    Ok(())
}

pub(super) fn number(value: &Scalar<'_>) -> Result<f64, String> {
    let missing = || "a missing value (null) cannot be sent in binary".to_owned();
    value.number().ok_or_else(missing)
}

/// The value of a half: a sign, five bits of exponent, ten of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
    }
}

/// The nearest half, the even one of two.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is cast is below 2048"
)]
fn to_half(value: f64) -> u16 {
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    let size = value.abs();
    if value.is_nan() {
        return 0x7e00;
    }
    // From here on rounding leads beyond the largest half.
    if size >= 65520.0 {
        return sign | 0x7c00;
    }
    let mut exponent = 1;
    while exponent < 30 && size >= 2_f64.powi(exponent - 14) {
        exponent += 1;
    }
    let steps = (size * 2_f64.powi(25 - exponent)).round_ties_even() as u16;
    // A carry out of the fraction is a step of the exponent, as it should be.
    sign | (((exponent as u16 - 1) << 10) + steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        for bits in 0..=u16::MAX {
            let value = half(bits);
            if !value.is_nan() {
                assert_eq!(to_half(value), bits, "{bits:#x} {value}");
            }
        }
        assert_eq!(half(0x3c00), 1.0);
        assert_eq!(half(0xc000), -2.0);
        assert_eq!(half(0x7bff), 65504.0);
        assert_eq!(to_half(1e9), 0x7c00);
        assert_eq!(to_half(2049.0), to_half(2048.0), "to even");
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn what_is_read_is_written() {
        for (datatype, size, bytes) in [
            ("BOOL", 2, &[0, 1][..]),
            ("INT8", 2, &[0x80, 0x7f]),
            ("UINT8", 2, &[0x80, 0x7f]),
            ("INT16", 1, &[0xff, 0xff]),
            ("UINT64", 1, &[0xff; 8]),
            ("INT64", 1, &[0xff; 8]),
            ("FP16", 1, &[0x00, 0x3c]),
            ("BF16", 1, &[0x80, 0x3f]),
            ("FP32", 1, &[0, 0, 0x80, 0x3f]),
            ("FP64", 1, &[1, 2, 3, 4, 5, 6, 7, 8]),
            ("BYTES", 2, &[1, 0, 0, 0, b'a', 1, 0, 0, 0, 0xff]),
            ("BYTES", 0, &[]),
        ] {
            let kind: Datatype = datatype.parse().unwrap();
            let values = read(kind, size, bytes).unwrap();
            let mut out = Vec::new();
            for value in values.iter() {
                write(kind, &value, &mut out).unwrap();
            }
            assert_eq!((out.as_slice(), values.len()), (bytes, size), "{datatype}");
        }
    }

    #[test]
    fn what_does_not_fill_the_shape() {
        for (datatype, size, bytes) in [
            ("FP32", 2, &[0; 7][..]),
            ("FP32", usize::MAX, &[0; 8]),
            ("BYTES", usize::MAX, &[0; 8]),
            ("BYTES", 1, &[2, 0, 0, 0, b'a']),
            ("BYTES", 1, &[0, 0, 0, 0, b'a']),
            ("BYTES", 1, &[0xff; 8]),
        ] {
            let kind: Datatype = datatype.parse().unwrap();
            assert!(read(kind, size, bytes).is_err(), "{datatype} {size}");
        }
    }
}
