//! `data.tftensor`: TensorFlow's own message for a tensor.
//!
//! Source: `tensorflow/core/framework/tensor.proto`.

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::array::{Array, Cells, check_empty, size_of};
use super::protojson;
use crate::json::{Scalar, TooMany};
use crate::problem::Problem;
use crate::proto::tensorflow::tensor_shape_proto::Dim;
use crate::proto::tensorflow::{DataType, TensorProto, TensorShapeProto};

/// A single value may stand for all of a tensor; for no more than these, as the
/// message does not grow with them.
const MAX_REPEATED: usize = 1 << 20;

/// Reads the message from its JSON.
pub(super) fn from_json<'de, D>(deserializer: D) -> Result<Option<Box<TensorProto>>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(value) = Option::<Value>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let tensor: Result<Box<TensorProto>, _> =
        protojson::read("tensorflow.TensorProto", &value).map(Box::new);
    let why = |error: String| de::Error::custom(format_args!("data.tftensor: {error}"));
    tensor.map(Some).map_err(why)
}

/// Its JSON.
///
/// # Errors
///
/// When the message cannot be written, which is a defect of this program.
pub(super) fn to_json(tensor: &TensorProto) -> Result<Value, Problem> {
    protojson::write("tensorflow.TensorProto", tensor).map_err(Problem::Internal)
}

/// The values of a tensor.
///
/// # Errors
///
/// When its type is not read, or its values do not fill its shape.
pub(super) fn decode(tensor: &TensorProto) -> Result<Array<'static>, Problem> {
    let dims = tensor.tensor_shape.as_ref().map(|shape| &shape.dim);
    let shape: Option<Vec<usize>> = dims.map_or(Some(Vec::new()), |dims| {
        let sizes = dims.iter().map(|dim| usize::try_from(dim.size).ok());
        sizes.collect()
    });
    let shape = shape.ok_or_else(|| bad("its shape has an unknown size".to_owned()))?;
    let size = size_of(&shape).ok_or_else(|| bad(format!("the shape {shape:?} is too large")))?;
    check_empty(&shape).map_err(bad)?;
    let cells = match values(tensor)? {
        Cells::Floats(values) => Cells::Floats(fill(values, size, &shape)?),
        Cells::Ints(values) => Cells::Ints(fill(values, size, &shape)?),
        Cells::Wide(values) => Cells::Wide(fill(values, size, &shape)?),
        Cells::Mixed(values) => Cells::Mixed(fill(values, size, &shape)?),
        Cells::Single(values) => Cells::Single(fill(values, size, &shape)?),
    };
    Ok(Array { shape, cells })
}

fn values(tensor: &TensorProto) -> Result<Cells<'static>, Problem> {
    let raw = tensor.tensor_content.as_slice();
    let ints = |values: &[i32]| values.iter().map(|&value| value.into()).collect();
    let datatype = DataType::try_from(tensor.dtype).unwrap_or(DataType::DtInvalid);
    let cells = match datatype {
        DataType::DtFloat if raw.is_empty() => {
            Cells::Floats(tensor.float_val.iter().map(|&value| value.into()).collect())
        }
        DataType::DtFloat => Cells::Floats(read(raw, |b| f32::from_le_bytes(b).into())?),
        DataType::DtDouble if raw.is_empty() => Cells::Floats(tensor.double_val.clone()),
        DataType::DtDouble => Cells::Floats(read(raw, f64::from_le_bytes)?),
        DataType::DtInt8
        | DataType::DtInt16
        | DataType::DtInt32
        | DataType::DtUint8
        | DataType::DtUint16
            if raw.is_empty() =>
        {
            Cells::Ints(ints(&tensor.int_val))
        }
        DataType::DtInt8 => Cells::Ints(read(raw, |b| i8::from_le_bytes(b).into())?),
        DataType::DtInt16 => Cells::Ints(read(raw, |b| i16::from_le_bytes(b).into())?),
        DataType::DtInt32 => Cells::Ints(read(raw, |b| i32::from_le_bytes(b).into())?),
        DataType::DtUint8 => Cells::Ints(read(raw, |b| u8::from_le_bytes(b).into())?),
        DataType::DtUint16 => Cells::Ints(read(raw, |b| u16::from_le_bytes(b).into())?),
        DataType::DtInt64 if raw.is_empty() => Cells::Ints(tensor.int64_val.clone()),
        DataType::DtInt64 => Cells::Ints(read(raw, i64::from_le_bytes)?),
        DataType::DtUint32 if raw.is_empty() => {
            let values = tensor.uint32_val.iter();
            Cells::Ints(values.map(|&value| value.into()).collect())
        }
        DataType::DtUint32 => Cells::Ints(read(raw, |b| u32::from_le_bytes(b).into())?),
        DataType::DtUint64 if raw.is_empty() => unsigned(&tensor.uint64_val),
        DataType::DtUint64 => unsigned(&read(raw, u64::from_le_bytes)?),
        DataType::DtBool if raw.is_empty() => {
            TooMany::check(tensor.bool_val.len())?;
            Cells::Mixed(tensor.bool_val.iter().map(|&b| Scalar::Bool(b)).collect())
        }
        DataType::DtBool => {
            TooMany::check(raw.len())?;
            Cells::Mixed(read(raw, |[b]: [u8; 1]| Scalar::Bool(b != 0))?)
        }
        DataType::DtString => Cells::Mixed(texts(&tensor.string_val)?),
        other => {
            let name = other.as_str_name();
            return Err(bad(format!("the dtype {name} is not read")));
        }
    };
    Ok(cells)
}

fn read<const N: usize, T>(raw: &[u8], value: impl Fn([u8; N]) -> T) -> Result<Vec<T>, Problem> {
    let (chunks, rest) = raw.as_chunks::<N>();
    if rest.is_empty() {
        return Ok(chunks.iter().map(|&chunk| value(chunk)).collect());
    }
    let length = raw.len();
    Err(bad(format!(
        "tensorContent has {length} bytes, which are no multiple of {N}"
    )))
}

fn unsigned(values: &[u64]) -> Cells<'static> {
    let narrow: Result<_, _> = values.iter().map(|&value| i64::try_from(value)).collect();
    narrow.map_or_else(
        |_| Cells::Wide(values.iter().map(|&value| value.into()).collect()),
        Cells::Ints,
    )
}

fn written<const N: usize, T: Copy>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}

fn texts(values: &[Vec<u8>]) -> Result<Vec<Scalar<'static>>, Problem> {
    TooMany::check(values.len())?;
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).map(|t| Scalar::Text(t.into()));
    let texts: Result<_, _> = values.iter().map(text).collect();
    texts.map_err(|error| bad(format!("a text is not UTF-8: {error}")))
}

/// A tensor may end early: its last value stands for the rest.
fn fill<T: Clone>(mut values: Vec<T>, size: usize, shape: &[usize]) -> Result<Vec<T>, Problem> {
    let found = values.len();
    match values.last().cloned() {
        Some(last) if found < size && size <= MAX_REPEATED => values.resize(size, last),
        _ if found == size => {}
        _ => {
            return Err(bad(format!(
                "it has {found} values, which do not fill the shape {shape:?}"
            )));
        }
    }
    Ok(values)
}

/// A tensor of `array`, which has only numbers.
pub(super) fn encode(array: &Array<'_>) -> TensorProto {
    let (datatype, tensor_content) = match &array.cells {
        Cells::Single(values) => (DataType::DtFloat, written(values, f32::to_le_bytes)),
        Cells::Ints(values) => (DataType::DtInt64, written(values, i64::to_le_bytes)),
        Cells::Wide(values) => {
            let narrow = |value| i64::try_from(value).unwrap_or(i64::MAX).to_le_bytes();
            (DataType::DtInt64, written(values, narrow))
        }
        Cells::Floats(_) | Cells::Mixed(_) => {
            let values = array.doubles().unwrap_or_default();
            (DataType::DtDouble, written(&values, f64::to_le_bytes))
        }
    };
    let dim = |&size: &usize| Dim {
        size: i64::try_from(size).unwrap_or(i64::MAX),
        name: String::new(),
    };
    TensorProto {
        dtype: datatype.into(),
        tensor_shape: Some(TensorShapeProto {
            dim: array.shape.iter().map(dim).collect(),
            unknown_rank: false,
        }),
        tensor_content,
        ..TensorProto::default()
    }
}

fn bad(text: String) -> Problem {
    Problem::BadData(format!("data.tftensor: {text}"))
}
