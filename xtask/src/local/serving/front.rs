//! The port that clients use, like a Kubernetes Service: new connections go to
//! the server of the moment, old ones stay where they are.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// A listening port on the loopback interface. Dropped, it listens no more.
#[derive(Debug)]
pub(super) struct Front {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// A server that connections can be sent to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    address: SocketAddr,
    open: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Shared {
    target: Mutex<Option<Target>>,
    closed: AtomicBool,
}

impl Target {
    pub(super) fn new(port: u16) -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            open: Arc::default(),
        }
    }

    /// How many connections it has through the front.
    pub(super) fn connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

impl Front {
    /// Listens on `port`; 0 is any free one.
    pub(super) fn open(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot listen on port {port}"))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { shared, address })
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sends new connections to `target` from now on.
    pub(super) fn switch(&self, target: Target) {
        *self.shared.target() = Some(target);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn target(&self) -> std::sync::MutexGuard<'_, Option<Target>> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The target, with the connection counted before anybody may look.
    fn take(&self) -> Option<Target> {
        let guard = self.target();
        let target = guard.clone()?;
        target.open.fetch_add(1, Ordering::SeqCst);
        Some(target)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.closed.load(Ordering::SeqCst) {
            return;
        }
        // A client that gave up, or too many open files: the next may do.
        let (Ok(client), Some(target)) = (client, shared.take()) else {
            continue;
        };
        thread::spawn(move || {
            // Whatever ends the connection, its peers see it as an end too.
            let _ = relay(&client, target.address);
            target.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn relay(client: &TcpStream, address: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(address)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| pipe(client, &server));
        pipe(&server, client);
    });
    Ok(())
}

fn pipe(mut from: &TcpStream, mut to: &TcpStream) {
    // An error is the end of the stream, as for any other peer.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::{Duration, Instant};

    use super::*;

    /// A server that answers every byte with its own.
    fn server(answer: u8) -> Target {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                thread::spawn(move || {
                    let mut byte = [0];
                    while client.read(&mut byte).unwrap_or(0) == 1 {
                        client.write_all(&[answer]).unwrap();
                    }
                });
            }
        });
        Target::new(port)
    }

    fn ask(client: &mut TcpStream) -> u8 {
        let mut byte = [0];
        client.write_all(b"?").unwrap();
        client.read_exact(&mut byte).unwrap();
        byte[0]
    }

    #[test]
    fn only_new_connections_follow_a_switch() {
        let front = Front::open(0).unwrap();
        let connect = || TcpStream::connect(front.address).unwrap();
        let (one, two) = (server(b'1'), server(b'2'));
        front.switch(one.clone());
        let mut first = connect();
        assert_eq!(ask(&mut first), b'1');
        front.switch(two.clone());
        let mut second = connect();
        assert_eq!((ask(&mut first), ask(&mut second)), (b'1', b'2'));
        assert_eq!((one.connections(), two.connections()), (1, 1));
        drop(first);
        let deadline = Instant::now() + Duration::from_secs(5);
        while one.connections() > 0 {
            assert!(Instant::now() < deadline);
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(ask(&mut second), b'2');
    }

    #[test]
    fn a_busy_port_is_refused_and_a_dropped_one_is_free() {
        let front = Front::open(0).unwrap();
        let port = front.port();
        assert!(
            Front::open(port)
                .unwrap_err()
                .to_string()
                .contains(&port.to_string())
        );
        drop(front);
        let deadline = Instant::now() + Duration::from_secs(5);
        while Front::open(port).is_err() {
            assert!(Instant::now() < deadline);
        }
    }
}
