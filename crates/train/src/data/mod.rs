//! From the files of the data commit to numbers.
//!
//! [`files`] finds the CSV files, [`mod@read`] makes one table of texts of them,
//! [`columns`] decides what each column is, [`dataset`] encodes every value as
//! `model::Table` does while serving, and
//! [`alike`] and [`mod@split`] choose the held-out rows.

mod alike;
mod columns;
mod dataset;
mod error;
mod file;
mod files;
mod known;
mod quotes;
mod read;
mod split;
mod target;
mod values;

pub(crate) use alike::{divide, twins};
pub(crate) use dataset::{Dataset, prepare};
pub use error::DataError;
pub(crate) use files::{PICTURES, TABLES, TEXTS, all as all_files, has_extension, instead};
pub(crate) use read::{Row, Texts, read};
pub(crate) use split::{Split, counts};
pub(crate) use target::{Target, classes_of, know};
