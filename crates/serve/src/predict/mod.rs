//! The core under all doors: features in, prediction out, on threads of its own.

mod about;
mod asked;
mod batch;
mod engines;
mod features;
mod joining;
mod load;
mod pays;
mod pool;
mod predictor;
mod queue;
mod takes;

pub(crate) use about::About;
pub(crate) use asked::{Answered, Run, Step, at_once};
pub(crate) use engines::find_engines;
pub(crate) use features::{BadRow, Features, Picture, encode};
pub(crate) use joining::Batching;
pub(crate) use load::{Conditions, LoadError};
pub(crate) use pool::{Pool, PoolError};
pub(crate) use predictor::{Prediction, Predictor};
pub(crate) use takes::{PredictError, Takes};
