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

use std::rc::Rc;

use super::WeightsError;
use machine::Machine;

mod machine;
mod objects;

/// The deepest nesting of tuples; PyTorch writes three levels.
const MAX_DEPTH: usize = 16;

/// What the machine's stack holds.
#[derive(Debug, Clone)]
pub(in crate::weights) enum Value {
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
pub(in crate::weights) struct Tuple {
    depth: usize,
    items: Vec<Value>,
}

/// The names that a program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Name {
    OrderedDict,
    RebuildTensor,
    FloatStorage,
    LongStorage,
}

/// A run of elements that stands after the program in the file.
#[derive(Debug)]
pub(in crate::weights) struct Storage {
    pub(in crate::weights) key: Rc<str>,
    pub(in crate::weights) element: Name,
    pub(in crate::weights) len: usize,
}

/// A tensor: some elements of a storage in some order.
#[derive(Debug)]
pub(in crate::weights) struct View {
    pub(in crate::weights) storage: Rc<Storage>,
    pub(in crate::weights) offset: usize,
    pub(in crate::weights) shape: Vec<usize>,
    pub(in crate::weights) strides: Vec<usize>,
}

/// What a program left behind.
pub(in crate::weights) struct Outcome {
    /// What it returned.
    pub(in crate::weights) value: Value,
    dicts: Vec<Vec<(Value, Value)>>,
    lists: Vec<Vec<Value>>,
}

impl Outcome {
    /// The entries, when the program returned a dictionary.
    pub(in crate::weights) fn dict(&self) -> Option<&[(Value, Value)]> {
        match self.value {
            Value::Dict(number) => self.dicts.get(number).map(Vec::as_slice),
            _ => None,
        }
    }

    /// The items, when the program returned a list.
    pub(in crate::weights) fn list(&self) -> Option<&[Value]> {
        match self.value {
            Value::List(number) => self.lists.get(number).map(Vec::as_slice),
            _ => None,
        }
    }
}

/// Runs the program that starts at `at` of `file`; `at` then stands behind it.
pub(in crate::weights) fn run(file: &[u8], at: &mut usize) -> Result<Outcome, WeightsError> {
    let mut machine = Machine::new(file, *at);
    loop {
        let start = machine.at;
        let step = machine.step();
        let done = step.map_err(|reason| WeightsError::Torch { at: start, reason })?;
        if let Some(value) = done {
            *at = machine.at;
            return Ok(machine.outcome(value));
        }
    }
}
