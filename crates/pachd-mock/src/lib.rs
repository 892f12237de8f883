//! A Pachyderm for tests: the calls of a datum, on loopback, with the quirks of the
//! real one.
//!
//! It runs on a thread of its own, so that programs under test can talk to it.
//!
//! # Quirks that it keeps
//!
//! Directories stand in a difference, with a `/` at their end; paths start with `/`;
//! a file comes in parts; what is not there is told by the status `NOT_FOUND`, and by
//! `UNKNOWN` with words in releases before; a commit that is open, or was closed with
//! an error, cannot be read; a missing or wrong token is refused.

// A broken expectation should end the test that uses this.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pachyderm::proto::api_server::ApiServer;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// Files by path without a leading `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What a commit has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is being written, as that of a running job.
    Open,
    /// It can be read.
    Finished,
    /// Its job failed.
    Failed,
}

/// A commit.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its ID.
    pub id: String,
    /// What it has come to.
    pub state: State,
    /// Its files.
    pub files: Files,
}

/// What the server knows, and what it was asked.
#[derive(Debug, Default)]
pub struct World {
    /// The commits of each repo, from the oldest on: each is the parent of the next.
    pub repos: BTreeMap<String, Vec<Commit>>,
    /// The token that is wanted; none where authentication is off.
    pub token: Option<String>,
    /// Whether it speaks as a release that tells absence in words alone.
    pub old: bool,
    /// The names of the calls so far.
    pub calls: Vec<String>,
}

/// A server.
#[derive(Debug)]
pub struct MockPachd {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
}

impl World {
    /// Adds a commit to `repo`.
    pub fn commit(&mut self, repo: &str, id: &str, state: State, files: Files) {
        let commits = self.repos.entry(repo.to_owned()).or_default();
        commits.push(Commit {
            id: id.to_owned(),
            state,
            files,
        });
    }
}

impl MockPachd {
    /// Starts a server without repos.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(Mutex::new(World::default()));
        let service = service::Pachd(Arc::clone(&world));
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let incoming = TcpIncoming::from(listener);
                let server = Server::builder().add_service(ApiServer::new(service));
                server.serve_with_incoming(incoming).await.unwrap();
            });
        });
        Self { address, world }
    }

    /// The port on 127.0.0.1, a worker's `PEER_PORT`.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it knows.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All files below `folder`.
pub fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            files.insert(name.to_owned(), std::fs::read(&path).unwrap());
        }
    }
    files
}
