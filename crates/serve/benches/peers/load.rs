//! Clients that ask one server as often as it answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[allow(dead_code)]
#[path = "../../tests/it/support/wire.rs"]
mod wire;

use wire::Connection;
pub(crate) use wire::Request;

/// How long each server is asked, after a start that does not count.
pub(crate) const SPAN: Duration = Duration::from_secs(2);
pub(crate) const WARM: Duration = Duration::from_millis(500);

/// The middle one of some values; the higher one of two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The body of one answer.
pub(crate) fn ask(address: &str, request: &Request) -> Vec<u8> {
    attempt(address, request).unwrap()
}

/// The body of one answer, or what went wrong.
pub(crate) fn attempt(address: &str, request: &Request) -> Result<Vec<u8>, String> {
    let mut connection = Connection::open(address).map_err(|e| e.to_string())?;
    match connection.ask(request).map_err(|e| e.to_string())? {
        200 => Ok(connection.body),
        status => Err(format!(
            "{status}: {}",
            String::from_utf8_lossy(&connection.body)
        )),
    }
}

/// What clients see of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Answers a second.
    pub(crate) rate: f64,
    /// The time that half of the answers take at most.
    pub(crate) p50: Duration,
}

/// Somebody who asks one thing again and again.
pub(crate) trait Client {
    /// Asks, and reads the answer.
    fn ask(&mut self);
}

/// The client of a REST server.
struct Asking<'r> {
    address: &'r str,
    request: &'r Request,
    connection: Connection,
}

impl Client for Asking<'_> {
    fn ask(&mut self) {
        if self.connection.closed {
            self.connection = Connection::open(self.address).unwrap();
        }
        assert_eq!(self.connection.ask(self.request).unwrap(), 200);
    }
}

/// Answers a second to `clients` clients.
pub(crate) fn measure(address: &str, request: &Request, clients: usize) -> f64 {
    look(address, request, clients, SPAN).rate
}

/// As [`measure`] over `span`, and how long the answers take.
pub(crate) fn look(address: &str, request: &Request, clients: usize, span: Duration) -> Seen {
    let open = || Asking {
        address,
        request,
        connection: Connection::open(address).unwrap(),
    };
    see(clients, span, open)
}

/// What `clients` clients see, each a thread with what `open` gives.
pub(crate) fn see<C: Client>(clients: usize, span: Duration, open: impl Fn() -> C + Sync) -> Seen {
    let (counting, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let all = Mutex::new(Vec::new());
    let mut time = Duration::ZERO;
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = open();
                let mut times = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    client.ask();
                    if counting.load(Ordering::Relaxed) {
                        times.push(begin.elapsed());
                    }
                }
                all.lock().unwrap().extend(times);
            });
        }
        thread::sleep(WARM);
        counting.store(true, Ordering::Relaxed);
        let start = Instant::now();
        thread::sleep(span);
        counting.store(false, Ordering::Relaxed);
        time = start.elapsed();
        done.store(true, Ordering::Relaxed);
    });
    let mut all = all.into_inner().unwrap();
    all.sort_unstable();
    Seen {
        rate: all.len() as f64 / time.as_secs_f64(),
        p50: all[all.len() / 2],
    }
}
