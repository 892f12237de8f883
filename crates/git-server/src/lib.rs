//! A git server for tests: git's own `http-backend` behind HTTP on loopback, so that
//! the real peer answers; it needs git on `PATH`.
//!
//! ```no_run
//! let server = git_server::GitServer::start();
//! let repository = server.repository("team/experiment");
//! repository.write("train.py", "print(1)\n");
//! let commit = repository.commit("Train");
//! // Demand a user and a token.
//! server.rules().credentials = Some(("ann".to_owned(), "t0ken".to_owned()));
//! let url = server.url("team/experiment");
//! assert_eq!(commit.len(), 40);
//! # let _ = url;
//! ```

// A broken expectation should end the test that uses this.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod backend;
mod repository;
mod server;
mod tls;

pub use repository::Repository;
pub use server::{GitServer, Rules, Seen};
