//! The file that `torch.save` wrote before PyTorch 1.6.
//!
//! Five pickles stand one after the other: a magic number, the version 1001, a
//! description of the machine, the state dictionary, and the keys of the
//! storages. Then comes each storage, in the order of those keys: its length as
//! 64 bits, and its elements. (`torch/serialization.py`, `_legacy_save`.)

use std::collections::HashMap;
use std::rc::Rc;

use super::pickle::{self, Name, Storage, Value, View};
use super::{Weights, WeightsError};

/// The pickles of the number 0x1950a86a20f9469cfc6c and of 1001.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";

const LEGACY: &str = "a file that torch.save wrote before PyTorch 1.6";

pub(super) fn read(file: &[u8]) -> Result<Weights, WeightsError> {
    if !file.starts_with(MAGIC) {
        return Err(WeightsError::Format(LEGACY));
    }
    let mut at = MAGIC.len();
    refuse_big_endian(file, &mut at)?;
    let start = at;
    let state = pickle::run(file, &mut at)?;
    let refused = |at, reason: &str| WeightsError::Torch {
        at,
        reason: reason.to_owned(),
    };
    let entries = state.dict();
    let entries = entries.ok_or_else(|| refused(start, "it holds no state dictionary"))?;
    let mut tensors = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match (key, value) {
            (Value::Text(name), Value::Tensor(view)) => tensors.push((name, view)),
            _ => {
                return Err(refused(
                    start,
                    "the state dictionary holds other than tensors",
                ));
            }
        }
    }
    let storages = storages(file, at, tensors.iter().map(|(_, view)| &view.storage))?;
    let mut weights = Weights::default();
    // Tensors may share a storage, but not so often that a small file fills memory.
    let mut room = file.len();
    for (name, view) in tensors {
        if view.storage.element == Name::FloatStorage {
            let count = view.shape.iter().fold(1_usize, |n, s| n.saturating_mul(*s));
            room = room
                .checked_sub(count)
                .ok_or_else(|| refused(at, "the tensors are larger than the file"))?;
            let bytes = storages
                .get(&*view.storage.key)
                .copied()
                .unwrap_or_default();
            let values = gather(view, bytes)
                .map_err(|reason| refused(at, &format!("the tensor {name:?} {reason}")))?;
            weights.insert(name.to_string(), view.shape.clone(), values);
        }
    }
    Ok(weights)
}

fn refuse_big_endian(file: &[u8], at: &mut usize) -> Result<(), WeightsError> {
    let start = *at;
    let machine = pickle::run(file, at)?;
    let little = |(key, value): &(Value, Value)| matches!((key, value), (Value::Text(key), Value::Bool(true)) if &**key == "little_endian");
    if machine
        .dict()
        .is_some_and(|entries| entries.iter().any(little))
    {
        return Ok(());
    }
    Err(WeightsError::Torch {
        at: start,
        reason: "it was not written on a little-endian machine".to_owned(),
    })
}

/// The bytes of each storage by its key.
fn storages<'a, 'k>(
    file: &'a [u8],
    mut at: usize,
    wanted: impl Iterator<Item = &'k Rc<Storage>>,
) -> Result<HashMap<Rc<str>, &'a [u8]>, WeightsError> {
    let wanted: HashMap<&str, &Storage> = wanted.map(|s| (&*s.key, &**s)).collect();
    let start = at;
    let keys = pickle::run(file, &mut at)?;
    let refused = |at, reason: &str| WeightsError::Torch {
        at,
        reason: reason.to_owned(),
    };
    let keys = keys.list();
    let keys = keys.ok_or_else(|| refused(start, "it holds no list of storages"))?;
    let mut found = HashMap::new();
    for key in keys {
        let storage = match key {
            Value::Text(key) => wanted.get(&**key),
            _ => None,
        };
        let storage = storage.ok_or_else(|| refused(start, "a storage belongs to no tensor"))?;
        let rest = file.get(at..).unwrap_or_default();
        let (len, elements) = rest
            .split_first_chunk()
            .ok_or_else(|| refused(at, "the file is cut short"))?;
        if u64::from_le_bytes(*len) != storage.len as u64 {
            return Err(refused(
                at,
                "a storage has another length than its tensors say",
            ));
        }
        let bytes = storage.len.checked_mul(element_size(storage.element));
        let bytes = bytes
            .and_then(|count| elements.get(..count))
            .ok_or_else(|| refused(at, "a storage is cut short"))?;
        at += len.len() + bytes.len();
        found.insert(Rc::clone(&storage.key), bytes);
    }
    match file.len() == at {
        true => Ok(found),
        false => Err(refused(at, "bytes follow the last storage")),
    }
}

fn element_size(element: Name) -> usize {
    match element {
        Name::LongStorage => 8,
        _ => 4,
    }
}

/// The tensor's elements in row-major order, wherever its strides say they lie.
fn gather(view: &View, bytes: &[u8]) -> Result<Vec<f32>, &'static str> {
    let elements = bytes.as_chunks::<4>().0;
    let count = view
        .shape
        .iter()
        .try_fold(1_usize, |n, s| n.checked_mul(*s));
    let count = count.filter(|count| *count <= elements.len());
    let count = count.ok_or("has more elements than its storage")?;
    let mut values = Vec::with_capacity(count);
    let mut position = vec![0_usize; view.shape.len()];
    for _ in 0..count {
        let mut steps = position.iter().zip(&view.strides);
        let index = steps.try_fold(view.offset, |sum, (position, stride)| {
            sum.checked_add(position.checked_mul(*stride)?)
        });
        let element = index.and_then(|index| elements.get(index));
        values.push(f32::from_le_bytes(
            *element.ok_or("reaches beyond its storage")?,
        ));
        for (position, size) in position.iter_mut().zip(&view.shape).rev() {
            *position += 1;
            if *position < *size {
                break;
            }
            *position = 0;
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.save` of PyTorch 1.13 with `_use_new_zipfile_serialization=False`:
    /// `{"a": arange(6.0).reshape(2, 3).T, "b": tensor([7.5])}` as an OrderedDict,
    /// and a counter as BatchNorm has it.
    const FILE: &[u8] = include_bytes!("../../recorded/legacy.pth");

    #[test]
    fn strides_are_honoured() {
        let weights = read(FILE).unwrap();
        assert_eq!(weights.len(), 2);
        let transposed = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
        assert_eq!(weights.get("a", &[3, 2]).unwrap(), transposed);
        assert_eq!(weights.get("b", &[1]).unwrap(), [7.5]);
    }

    #[test]
    fn every_truncation_is_refused() {
        for end in 0..FILE.len() {
            assert!(read(&FILE[..end]).is_err(), "{end}");
        }
        let longer = [FILE, b"x"].concat();
        assert!(read(&longer).unwrap_err().to_string().contains("follow"));
    }

    /// Every byte changed in many ways: an error or weights, and never a panic.
    #[test]
    fn every_changed_byte_is_survived() {
        for at in 0..FILE.len() {
            for value in (0..=255).step_by(17) {
                let mut bytes = FILE.to_vec();
                bytes[at] = value;
                let _ = read(&bytes);
            }
        }
    }

    fn refusal(state: &[u8]) -> String {
        let mut file = MAGIC.to_vec();
        file.extend(b"\x80\x02}X\x0d\0\0\0little_endian\x88s.");
        file.extend(state);
        file.extend(b"\x80\x02].");
        read(&file).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_weight_is_refused() {
        let call = refusal(b"\x80\x02cos\nsystem\n(X\x04\0\0\0truetR.");
        assert!(call.contains("os.system has no place"), "{call}");
        assert!(refusal(b"\x80\x02K\x01.").contains("no state dictionary"));
        assert!(refusal(b"\x80\x04K\x01.").contains("protocol 4"));
        assert!(refusal(b"\x80\x02}K\x01K\x02s.").contains("other than tensors"));
        assert!(refusal(b"\x80\x02R.").contains("stack is empty"));
        assert!(refusal(b"\x80\x02(u.").contains("no dictionary"));
        assert!(refusal(b"\x80\x02h\x05.").contains("remembered under 5"));
        assert!(refusal(b"\x80\x02X\xff\xff\xff\xff.").contains("cut short"));
        let deep = [&b"\x80\x02)"[..], &vec![0x85; 100_000], b"."].concat();
        assert!(refusal(&deep).contains("too deeply"));
        let zip = read(b"PK\x03\x04").unwrap_err().to_string();
        assert!(zip.contains("before PyTorch 1.6"), "{zip}");
    }
}
