//! The real program against a Determined master: one experiment, one version, one
//! package, whatever happens.

#![cfg(unix)]

mod detached;
mod ends;
mod faults;
mod flow;
mod git;
mod own;
mod support;
mod traces;
mod trial;
