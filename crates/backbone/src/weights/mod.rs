//! Pretrained weights by name, from the files that Python packages hold.

mod pickle;
mod safetensors;
mod torch;

use std::collections::BTreeMap;

/// The tensors of 32-bit floats in a weight file; others are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

/// A tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// Why a weight file cannot be read, or does not hold what a graph needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// It is not a file of this format.
    #[error("this is not {0}")]
    Format(&'static str),
    /// It is a legacy PyTorch file that is damaged, or holds other than weights.
    #[error("the PyTorch file is refused at byte {at}: {reason}")]
    Torch {
        /// The offset in the file.
        at: usize,
        /// What is wrong there.
        reason: String,
    },
    /// It is a safetensors file that is damaged.
    #[error("the safetensors file is damaged: {0}")]
    Safetensors(String),
    /// A tensor is absent.
    #[error("the weights have no tensor {0:?}")]
    Missing(String),
    /// A tensor has another shape.
    #[error("the tensor {name:?} has the shape {found:?}, expected {wanted:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the graph needs.
        wanted: Vec<usize>,
    },
}

impl Weights {
    /// Reads the file that `torch.save` wrote before PyTorch 1.6: a state
    /// dictionary pickled by protocol 2, and the storages behind it. Nothing in
    /// the file is executed; whatever is not a dictionary of tensors is refused.
    ///
    /// # Errors
    ///
    /// When the file is not of this kind, is cut short, or holds anything else.
    pub fn from_torch(file: &[u8]) -> Result<Self, WeightsError> {
        torch::read(file)
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    ///
    /// When the file is not of this kind or is damaged.
    pub fn from_safetensors(file: &[u8]) -> Result<Self, WeightsError> {
        safetensors::read(file)
    }

    /// The values of the tensor `name`, which must have the `shape`.
    ///
    /// # Errors
    ///
    /// When there is no such tensor, or it has another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], WeightsError> {
        let tensor = self.tensors.get(name);
        let tensor = tensor.ok_or_else(|| WeightsError::Missing(name.to_owned()))?;
        if tensor.shape != shape {
            return Err(WeightsError::Shape {
                name: name.to_owned(),
                found: tensor.shape.clone(),
                wanted: shape.to_vec(),
            });
        }
        Ok(&tensor.values)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    fn insert(&mut self, name: String, shape: Vec<usize>, values: Vec<f32>) {
        self.tensors.insert(name, Tensor { shape, values });
    }

    #[cfg(test)]
    pub(crate) fn put(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        self.insert(name.to_owned(), shape.to_vec(), values);
    }
}
