//! Rolls a model version out on Seldon.
//!
//! [`source`] reads and verifies what train wrote. [`wanted`] turns it, with the
//! user's [`options`], into the object that ought to be: pure functions. A
//! [`target`] makes the world equal to it; [`rollout`] follows that until the
//! version answers, or puts the former one back.

pub mod cli;
mod http;
pub mod image;
mod json;
pub mod names;
pub mod options;
mod record;
pub mod rollout;
pub mod source;
pub mod target;
pub mod wanted;
