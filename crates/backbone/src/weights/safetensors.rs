//! The safetensors format.

use ::safetensors::{Dtype, SafeTensors};

use super::{Weights, WeightsError};

pub(super) fn read(file: &[u8]) -> Result<Weights, WeightsError> {
    let damaged = |e: ::safetensors::SafeTensorError| WeightsError::Safetensors(e.to_string());
    let tensors = SafeTensors::deserialize(file).map_err(damaged)?;
    let mut weights = Weights::default();
    for (name, view) in tensors.iter() {
        if view.dtype() == Dtype::F32 {
            let values = view.data().as_chunks::<4>().0.iter();
            let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
            weights.insert(name.to_owned(), view.shape().to_vec(), values);
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let header = br#"{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"n":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}"#;
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header);
        file.extend(1.5_f32.to_le_bytes());
        file.extend((-2.0_f32).to_le_bytes());
        file.extend(7_i64.to_le_bytes());
        file
    }

    #[test]
    fn floats_are_read_by_name() {
        let weights = read(&file()).unwrap();
        assert_eq!(weights.len(), 1);
        assert_eq!(weights.get("a", &[2, 1]).unwrap(), [1.5, -2.0]);
        let error = weights.get("a", &[2]).unwrap_err().to_string();
        assert!(error.contains("[2, 1], expected [2]"), "{error}");
        let error = weights.get("n", &[1]).unwrap_err().to_string();
        assert!(error.contains("no tensor \"n\""), "{error}");
    }

    #[test]
    fn damage_is_an_error() {
        for end in 0..file().len() {
            assert!(read(&file()[..end]).is_err(), "{end}");
        }
        for at in 0..file().len() {
            for change in [1, 0x80, 0xff] {
                let mut bytes = file();
                bytes[at] ^= change;
                let _ = read(&bytes);
            }
        }
    }
}
