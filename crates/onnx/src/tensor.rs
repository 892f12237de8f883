//! Tensors with elements of the three types that built graphs use.

use crate::proto::TensorProto;

/// The type of a tensor's elements, by its number in `onnx.proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum ElementType {
    /// 32-bit IEEE 754.
    F32 = 1,
    /// 32-bit signed.
    I32 = 6,
    /// 64-bit signed.
    I64 = 7,
}

impl ElementType {
    /// The type with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        [Self::F32, Self::I32, Self::I64]
            .into_iter()
            .find(|t| *t as i32 == number)
    }
}

impl TensorProto {
    /// A tensor of 32-bit floats; `values` are in row-major order and fill `dims`.
    pub fn f32s(name: &str, dims: &[usize], values: &[f32]) -> Self {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::raw(name, dims, ElementType::F32, raw)
    }

    /// A tensor of 32-bit integers; `values` are in row-major order and fill `dims`.
    pub fn i32s(name: &str, dims: &[usize], values: &[i32]) -> Self {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::raw(name, dims, ElementType::I32, raw)
    }

    /// A tensor of 64-bit integers; `values` are in row-major order and fill `dims`.
    pub fn i64s(name: &str, dims: &[usize], values: &[i64]) -> Self {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::raw(name, dims, ElementType::I64, raw)
    }

    fn raw(name: &str, dims: &[usize], element: ElementType, raw: Vec<u8>) -> Self {
        Self {
            dims: dims.iter().map(|size| *size as i64).collect(),
            data_type: element as i32,
            name: name.to_owned(),
            raw_data: Some(raw),
            ..Self::default()
        }
    }
}
