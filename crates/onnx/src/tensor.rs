//! Tensors with elements of the three types that built graphs use.

use crate::proto::{GraphProto, TensorProto};

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

impl GraphProto {
    /// The 32-bit floats of the constant with this name, as [`TensorProto::to_f32s`].
    pub fn f32s(&self, name: &str) -> Option<Vec<f32>> {
        let mut constants = self.initializer.iter();
        constants.find(|constant| constant.name == name)?.to_f32s()
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

    /// The 32-bit floats of a tensor that [`Self::f32s`] has made; none of one of
    /// another type, or whose elements do not fill its dimensions.
    pub fn to_f32s(&self) -> Option<Vec<f32>> {
        let raw = self.raw_data.as_ref()?;
        let number = |bytes: &[u8]| Some(f32::from_le_bytes(bytes.try_into().ok()?));
        let values: Vec<f32> = raw.chunks_exact(4).map(number).collect::<Option<_>>()?;
        let count = self.dims.iter().product::<i64>();
        let fills = usize::try_from(count).ok() == Some(values.len()) && raw.len() % 4 == 0;
        (self.data_type == ElementType::F32 as i32 && fills).then_some(values)
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
