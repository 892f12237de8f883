//! The core under all doors: features in, prediction out, on threads of its own.

mod about;
mod features;
mod load;
mod pool;
mod predictor;
mod takes;

pub(crate) use about::About;
pub(crate) use features::{BadRow, Features, Picture, encode};
pub(crate) use load::LoadError;
pub(crate) use pool::{Pool, PoolError, guarded};
pub(crate) use predictor::{Prediction, Predictor};
pub(crate) use takes::{PredictError, Takes};
