//! Connections: how many there are, and how long their clients may keep silent.

mod connection;
mod http;
mod listen;
mod silence;
mod timer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

pub(crate) use connection::Connection;
pub(crate) use http::listen_to_http;
pub(crate) use listen::listen;

/// How long to wait when the system gives no more connections.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked of all clients of one or more ports.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// How long a client may take to send the head of a request, the next one on
    /// the same connection, or to read on.
    pub(crate) silence: Duration,
    seats: Arc<Semaphore>,
}

impl Manners {
    /// At most `connections` at a time, each silent for at most `silence`.
    pub(crate) fn new(connections: usize, silence: Duration) -> Self {
        let seats = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Self { silence, seats }
    }

    /// Takes a client in; `None` when there are too many, which hangs up.
    fn admit(&self, stream: TcpStream) -> Option<io::Result<Guest>> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let guest = |stream| Guest {
            stream,
            silence: self.silence,
            seat,
        };
        Some(stream.into_std().map(guest))
    }
}

/// A client that has come in, and is not yet of an event loop.
#[derive(Debug)]
pub(crate) struct Guest {
    stream: std::net::TcpStream,
    silence: Duration,
    seat: OwnedSemaphorePermit,
}

impl Guest {
    /// The connection, as one of the event loop that calls this.
    ///
    /// # Errors
    ///
    /// When the system cannot watch one more.
    pub(crate) fn enter(self) -> io::Result<Connection> {
        let stream = TcpStream::from_std(self.stream)?;
        Ok(Connection::new(stream, self.silence, self.seat))
    }
}

/// An open port.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    manners: Manners,
    stopped: watch::Receiver<bool>,
}

impl Door {
    /// Opens a port at which clients are let in until `stopped` becomes true.
    ///
    /// # Errors
    ///
    /// When the port cannot be opened.
    pub(crate) async fn open(
        address: SocketAddr,
        manners: &Manners,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(SocketAddr, Self)> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr().context("cannot listen")?;
        let door = Self {
            listener,
            manners: manners.clone(),
            stopped: stopped.clone(),
        };
        Ok((address, door))
    }

    /// Becomes true when the port is to be closed.
    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.clone()
    }

    /// The next client; `None` once the port is to be closed and all clients
    /// that came before are in.
    pub(crate) async fn next(&mut self) -> Option<Guest> {
        loop {
            let accepted = tokio::select! {
                biased;
                accepted = self.listener.accept() => accepted,
                // An error means that the sender is gone, which is as good a reason.
                _ = self.stopped.wait_for(|stopped| *stopped) => return None,
            };
            let admitted = match accepted {
                Ok((stream, _)) => match self.manners.admit(stream) {
                    Some(admitted) => admitted,
                    None => {
                        tracing::warn!("too many connections, one was refused");
                        continue;
                    }
                },
                Err(error) => Err(error),
            };
            match admitted {
                Ok(guest) => return Some(guest),
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    let error = error.to_string();
                    tracing::warn!(error, "cannot take a connection");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Whether a connection failed before it was taken, and nothing else.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
