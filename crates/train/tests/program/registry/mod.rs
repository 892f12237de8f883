//! A registry beside the output: promotion, and processes that are killed.

#![cfg(unix)]

mod kill;
mod promotion;
mod support;
