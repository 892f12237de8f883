//! Reading of JSON: one flat buffer for nested lists, and errors for people.

mod bound;
mod nested;
mod object;
pub(crate) mod objects;
mod scalar;
mod syntax;
mod text;
mod values;

pub(crate) use bound::{Holds, Together, TooMany};
pub(crate) use nested::Nested;
pub(crate) use object::Object;
pub(crate) use scalar::Scalar;
pub(crate) use syntax::{parse, parse_list, problem};
pub(crate) use text::Text;
pub(crate) use values::Values;
