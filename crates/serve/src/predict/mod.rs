//! The core under all doors: features in, prediction out, on threads of its own.

mod features;
mod pool;
mod predictor;

pub(crate) use features::{BadRow, encode};
pub(crate) use pool::{Pool, PoolError};
pub(crate) use predictor::{Prediction, Predictor};
