//! Reading of JSON: one flat buffer for nested lists, and errors for people.

mod nested;
mod object;
mod objects;
mod syntax;

pub(crate) use nested::{Nested, Scalar};
pub(crate) use object::Object;
pub(crate) use syntax::parse;
