//! The stack machine: one step for each opcode.

use std::collections::HashMap;
use std::rc::Rc;

use super::{MAX_DEPTH, Name, Outcome, Tuple, Value};

pub(super) struct Machine<'a> {
    file: &'a [u8],
    /// Where the next opcode stands.
    pub(super) at: usize,
    stack: Vec<Value>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    dicts: Vec<Vec<(Value, Value)>>,
    lists: Vec<Vec<Value>>,
}

/// A step, or what is wrong with the program.
pub(super) type Step<T> = Result<T, String>;

impl<'a> Machine<'a> {
    /// A machine whose program starts at `at` of `file`.
    pub(super) fn new(file: &'a [u8], at: usize) -> Self {
        Machine {
            file,
            at,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            dicts: Vec::new(),
            lists: Vec::new(),
        }
    }

    /// What the program leaves when it returns `value`.
    pub(super) fn outcome(self, value: Value) -> Outcome {
        Outcome {
            value,
            dicts: self.dicts,
            lists: self.lists,
        }
    }

    /// Does one opcode; gives the value that `STOP` returns.
    pub(super) fn step(&mut self) -> Step<Option<Value>> {
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

    pub(super) fn pop(&mut self) -> Step<Value> {
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

    pub(super) fn new_dict(&mut self) -> Value {
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
