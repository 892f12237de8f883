//! A Determined master for tests: the routes that a pipeline needs, on loopback,
//! with the quirks of the real one, and with faults on demand.
//!
//! It runs on a thread of its own, so that tests with and without an async runtime,
//! and other processes (the program under test, the Python SDK), can talk to it.
//!
//! ```
//! use determined_mock::{Fault, MockMaster, Outcome, Script};
//!
//! let master = MockMaster::start();
//! // What becomes of the next experiments.
//! master.world().script = Script::completed(&[(100, Some(0.91))]);
//! // Answer 503 to the next two requests for an experiment.
//! master.fault("GET", "/api/v1/experiments/", Fault::Status(503), 2);
//! assert!(master.url().starts_with("http://127.0.0.1:"));
//! assert!(master.requests().is_empty());
//! # let _ = Outcome::Error;
//! ```
//!
//! # Quirks that it keeps
//!
//! 64-bit integers are texts; unset messages are `null`; `searcherMetric` is left
//! out or `"NaN"`; unknown routes, wrong methods and a colon in the last path
//! segment answer 501; invalid configurations 500; unknown body fields and query
//! names are ignored; the search for models matches parts of names in any case;
//! versions count from 1 per model and have another `id`; nothing about them is
//! unique; experiments come in pages of 100 by default; `parentId` makes it ignore
//! the files; labels are joined by "and"; a resumed log repeats the lines of the
//! moment it resumes at. Of what training code reports: a metric is never
//! overwritten, reports of an earlier start are refused, those of a later one
//! archive them, a checkpoint's UUID is taken once, and the question about
//! preemption is a long poll.
//!
//! Tasks do not run by themselves: [`MockMaster::start_task`] is the agent.

// A broken expectation should end the test that uses this.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod archive;
mod checkpoints;
mod experiments;
mod faults;
mod page;
mod registry;
mod reply;
mod request;
mod routes;
mod script;
mod server;
mod task;
mod trials;
mod world;

pub use faults::{ArchiveFault, Fault, Stall};
pub use request::Request;
pub use script::{CheckpointScript, Outcome, Script};
pub use server::MockMaster;
pub use world::{Checkpoint, Experiment, Model, Version, World};

/// The user that the master knows.
pub const USER: &str = "determined";
/// The password of [`USER`].
pub const PASSWORD: &str = "Sup3rSecret";
