//! The part of the pickle format, protocol 2, in which PyTorch writes a state
//! dictionary, as a machine that can build nothing else.
//!
//! The format is a program for a stack machine ([PEP 307]; opcodes as in Python's
//! `pickletools`). Python's own machine calls any function that the program
//! names. This one knows four names, and calls none: it notes what PyTorch would
//! have built. An opcode takes at least one byte and adds at most one value, and
//! copies share their content, so memory stays within a small multiple of the
//! file; nesting is limited, so that nothing recurses deeply.
//!
//! [PEP 307]: https://peps.python.org/pep-0307/

use std::collections::HashMap;
use std::rc::Rc;

use super::WeightsError;

/// The deepest nesting of tuples; PyTorch writes three levels.
const MAX_DEPTH: usize = 16;

/// What the machine's stack holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(Rc<str>),
    Tuple(Rc<Tuple>),
    /// A dictionary or list by its number: later opcodes add to it.
    Dict(usize),
    List(usize),
    Name(Name),
    Storage(Rc<Storage>),
    Tensor(Rc<View>),
}

#[derive(Debug)]
pub(super) struct Tuple {
    depth: usize,
    items: Vec<Value>,
}

/// The names that a program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    OrderedDict,
    RebuildTensor,
    FloatStorage,
    LongStorage,
}

/// A run of elements that stands after the program in the file.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) key: Rc<str>,
    pub(super) element: Name,
    pub(super) len: usize,
}

/// A tensor: some elements of a storage in some order.
#[derive(Debug)]
pub(super) struct View {
    pub(super) storage: Rc<Storage>,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// What a program left behind.
pub(super) struct Outcome {
    /// What it returned.
    pub(super) value: Value,
    dicts: Vec<Vec<(Value, Value)>>,
    lists: Vec<Vec<Value>>,
}

impl Outcome {
    /// The entries, when the program returned a dictionary.
    pub(super) fn dict(&self) -> Option<&[(Value, Value)]> {
        match self.value {
            Value::Dict(number) => self.dicts.get(number).map(Vec::as_slice),
            _ => None,
        }
    }

    /// The items, when the program returned a list.
    pub(super) fn list(&self) -> Option<&[Value]> {
        match self.value {
            Value::List(number) => self.lists.get(number).map(Vec::as_slice),
            _ => None,
        }
    }
}

/// Runs the program that starts at `at` of `file`; `at` then stands behind it.
pub(super) fn run(file: &[u8], at: &mut usize) -> Result<Outcome, WeightsError> {
    let mut machine = Machine {
        file,
        at: *at,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        dicts: Vec::new(),
        lists: Vec::new(),
    };
    loop {
        let start = machine.at;
        let step = machine.step();
        let done = step.map_err(|reason| WeightsError::Torch { at: start, reason })?;
        if let Some(value) = done {
            *at = machine.at;
            return Ok(Outcome {
                value,
                dicts: machine.dicts,
                lists: machine.lists,
            });
        }
    }
}

struct Machine<'a> {
    file: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    dicts: Vec<Vec<(Value, Value)>>,
    lists: Vec<Vec<Value>>,
}

type Step<T> = Result<T, String>;

impl Machine<'_> {
    /// Does one opcode; gives the value that `STOP` returns.
    fn step(&mut self) -> Step<Option<Value>> {
        let [opcode] = self.bytes()?;
        let value = match opcode {
            b'.' => return self.pop().map(Some),
            0x80 => return self.protocol(),
            b'(' => {
                self.marks.push(self.stack.len());
                return Ok(None);
            }
            b'q' | b'r' => return self.memorise(opcode),
            b's' | b'u' => return self.set_items(opcode == b'u'),
            b'a' | b'e' => return self.append(opcode == b'e'),
            b'b' => return self.build(),
            b'h' => {
                let [number] = self.bytes()?;
                self.remembered(u32::from(number))?
            }
            b'j' => {
                let number = u32::from_le_bytes(self.bytes()?);
                self.remembered(number)?
            }
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'J' => Value::Int(i32::from_le_bytes(self.bytes()?).into()),
            b'K' => Value::Int(u8::from_le_bytes(self.bytes()?).into()),
            b'M' => Value::Int(u16::from_le_bytes(self.bytes()?).into()),
            b'X' => self.text()?,
            b'}' => self.new_dict(),
            b']' => {
                self.lists.push(Vec::new());
                Value::List(self.lists.len() - 1)
            }
            b')' => tuple(Vec::new())?,
            b't' => tuple(self.since_mark()?)?,
            0x85 => self.tuple_of(1)?,
            0x86 => self.tuple_of(2)?,
            0x87 => self.tuple_of(3)?,
            b'c' => Value::Name(self.name()?),
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            _ => return Err(format!("the opcode {opcode:#04x} has no place in weights")),
        };
        self.stack.push(value);
        Ok(None)
    }

    fn bytes<const N: usize>(&mut self) -> Step<[u8; N]> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let bytes = rest.first_chunk().ok_or("the file is cut short")?;
        self.at += N;
        Ok(*bytes)
    }

    fn pop(&mut self) -> Step<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("the stack is empty".to_owned());
        }
        self.stack
            .pop()
            .ok_or_else(|| "the stack is empty".to_owned())
    }

    fn since_mark(&mut self) -> Step<Vec<Value>> {
        let mark = self.marks.pop().ok_or("there is no mark")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn protocol(&mut self) -> Step<Option<Value>> {
        match self.bytes()? {
            [2] => Ok(None),
            [version] => Err(format!("pickle protocol {version}, expected 2")),
        }
    }

    fn memorise(&mut self, opcode: u8) -> Step<Option<Value>> {
        let number = match opcode {
            b'q' => u32::from(u8::from_le_bytes(self.bytes()?)),
            _ => u32::from_le_bytes(self.bytes()?),
        };
        let value = self.stack.last().ok_or("nothing to remember")?.clone();
        self.memo.insert(number, value);
        Ok(None)
    }

    fn remembered(&self, number: u32) -> Step<Value> {
        let value = self.memo.get(&number).cloned();
        value.ok_or_else(|| format!("nothing is remembered under {number}"))
    }

    fn text(&mut self) -> Step<Value> {
        let len = u32::from_le_bytes(self.bytes()?) as usize;
        let rest = self.file.get(self.at..).unwrap_or_default();
        let bytes = rest.get(..len).ok_or("a text is cut short")?;
        let text = std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")?;
        self.at += len;
        Ok(Value::Text(text.into()))
    }

    fn line(&mut self) -> Step<&str> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let end = rest.iter().take(128).position(|b| *b == b'\n');
        let end = end.ok_or("a name does not end")?;
        self.at += end + 1;
        let line = rest.get(..end).unwrap_or_default();
        std::str::from_utf8(line).map_err(|_| "a name is not UTF-8".to_owned())
    }

    fn name(&mut self) -> Step<Name> {
        let module = self.line()?.to_owned();
        let name = self.line()?;
        match (module.as_str(), name) {
            ("collections", "OrderedDict") => Ok(Name::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Ok(Name::RebuildTensor),
            ("torch", "FloatStorage") => Ok(Name::FloatStorage),
            ("torch", "LongStorage") => Ok(Name::LongStorage),
            _ => Err(format!("{module}.{name} has no place in weights")),
        }
    }

    fn new_dict(&mut self) -> Value {
        self.dicts.push(Vec::new());
        Value::Dict(self.dicts.len() - 1)
    }

    fn tuple_of(&mut self, len: usize) -> Step<Value> {
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            items.push(self.pop()?);
        }
        items.reverse();
        tuple(items)
    }

    fn set_items(&mut self, many: bool) -> Step<Option<Value>> {
        let items = if many {
            self.since_mark()?
        } else {
            let value = self.pop()?;
            vec![self.pop()?, value]
        };
        let Some(Value::Dict(number)) = self.stack.last() else {
            return Err("items are set on what is no dictionary".to_owned());
        };
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err("a key has no value".to_owned());
        };
        let entries = pairs
            .iter()
            .map(|[key, value]| (key.clone(), value.clone()));
        let dict = self.dicts.get_mut(*number).ok_or("no such dictionary")?;
        dict.extend(entries);
        Ok(None)
    }

    fn append(&mut self, many: bool) -> Step<Option<Value>> {
        let items = if many {
            self.since_mark()?
        } else {
            vec![self.pop()?]
        };
        let Some(Value::List(number)) = self.stack.last() else {
            return Err("items are appended to what is no list".to_owned());
        };
        let list = self.lists.get_mut(*number).ok_or("no such list")?;
        list.extend(items);
        Ok(None)
    }

    /// `BUILD` sets attributes; those of a state dictionary say which version of
    /// each module wrote it, which changes no weight.
    fn build(&mut self) -> Step<Option<Value>> {
        match (self.pop()?, self.stack.last()) {
            (Value::Dict(_), Some(Value::Dict(_))) => Ok(None),
            _ => Err("attributes are set on what is no dictionary".to_owned()),
        }
    }

    /// `("storage", element, key, device, length, None)`.
    fn storage(&mut self) -> Step<Value> {
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
    fn reduce(&mut self) -> Step<Value> {
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

fn tuple(items: Vec<Value>) -> Step<Value> {
    let depth = items.iter().map(|item| match item {
        Value::Tuple(inner) => inner.depth + 1,
        _ => 1,
    });
    let depth = depth.max().unwrap_or(0);
    if depth > MAX_DEPTH {
        return Err("tuples are nested too deeply".to_owned());
    }
    Ok(Value::Tuple(Rc::new(Tuple { depth, items })))
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
