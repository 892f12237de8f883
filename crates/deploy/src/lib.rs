//! Rolls a model version out on Seldon.
//!
//! [`source`] reads and verifies what train wrote. [`wanted`] turns it, with the
//! user's [`options`], into the objects that ought to be: pure functions. A
//! target makes the world equal to them; [`manifest`] writes them to a file.

pub mod cli;
pub mod image;
pub mod manifest;
pub mod names;
pub mod options;
pub mod source;
pub mod wanted;
