//! What the programs of PyTorch build: storages, and tensors that look into them.

use std::rc::Rc;

use super::machine::{Machine, Step};
use super::{Name, Storage, Tuple, Value, View};

impl Machine<'_> {
    /// `("storage", element, key, device, length, None)`.
    pub(super) fn storage(&mut self) -> Step<Value> {
        let Value::Tuple(tuple) = self.pop()? else {
            return Err("a persistent ID is no tuple".to_owned());
        };
        let [
            Value::Text(kind),
            Value::Name(element),
            Value::Text(key),
            _,
            Value::Int(len),
            Value::None,
        ] = &tuple.items[..]
        else {
            return Err("a persistent ID is not that of a storage".to_owned());
        };
        if &**kind != "storage" || !matches!(element, Name::FloatStorage | Name::LongStorage) {
            return Err("a persistent ID is not that of a storage".to_owned());
        }
        Ok(Value::Storage(Rc::new(Storage {
            key: Rc::clone(key),
            element: *element,
            len: size(*len)?,
        })))
    }

    /// Notes the call of one of the two functions that are known.
    pub(super) fn reduce(&mut self) -> Step<Value> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        match (function, arguments) {
            (Value::Name(Name::OrderedDict), Value::Tuple(tuple)) if tuple.items.is_empty() => {
                Ok(self.new_dict())
            }
            (Value::Name(Name::RebuildTensor), Value::Tuple(tuple)) => view(&tuple.items),
            _ => Err("a call other than of OrderedDict() and _rebuild_tensor_v2".to_owned()),
        }
    }
}

/// `(storage, offset, shape, strides, requires_grad, hooks)`.
fn view(arguments: &[Value]) -> Step<Value> {
    let [
        Value::Storage(storage),
        Value::Int(offset),
        Value::Tuple(shape),
        Value::Tuple(strides),
        _,
        _,
    ] = arguments
    else {
        return Err("the arguments of _rebuild_tensor_v2 are not a tensor's".to_owned());
    };
    let (shape, strides) = (sizes(shape)?, sizes(strides)?);
    if shape.len() != strides.len() || shape.len() > 8 {
        return Err("a tensor's shape and strides do not go together".to_owned());
    }
    Ok(Value::Tensor(Rc::new(View {
        storage: Rc::clone(storage),
        offset: size(*offset)?,
        shape,
        strides,
    })))
}

fn sizes(tuple: &Tuple) -> Step<Vec<usize>> {
    let size_of = |item: &Value| match item {
        Value::Int(number) => size(*number),
        _ => Err("a size is no number".to_owned()),
    };
    tuple.items.iter().map(size_of).collect()
}

fn size(number: i64) -> Step<usize> {
    usize::try_from(number).map_err(|_| format!("{number} is no size"))
}
