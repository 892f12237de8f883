//! References to images in pipeline descriptors: finding them, and changing
//! them without touching another byte.
//!
//! A descriptor names images in two ways: as the whole value of
//! `transform.image`, and inside other strings, as an argument of a command
//! (`--serving-image …/serve:0.0.1`), the value of a variable or a patch.

pub(crate) mod document;
mod edit;
mod escape;
mod files;
mod hits;
mod json;
mod token;
pub(crate) mod yaml;

pub(crate) use document::Node;
pub(crate) use edit::{Edit, apply, prove};
pub(crate) use files::{Descriptor, Hit, Search, read_all};
#[cfg(test)]
pub(crate) use token::find;
pub(crate) use token::{Kind, Reference};
