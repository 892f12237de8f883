//! From the files of the data commit to numbers.
//!
//! [`files`] finds the CSV files, [`read`] makes one table of texts of them,
//! [`columns`] decides what each column is, [`dataset`] encodes every value as
//! `model::Table` does while serving, and [`split`] chooses the held-out rows.

mod columns;
mod dataset;
mod error;
mod files;
mod read;
mod split;
mod target;

pub(crate) use dataset::{Dataset, prepare};
pub use error::DataError;
pub(crate) use read::{SourceFile, Texts, read};
pub(crate) use split::{Split, split};
pub(crate) use target::{Target, classes_of};
