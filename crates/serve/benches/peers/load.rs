//! Clients that ask one server as often as it answers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[allow(dead_code)]
#[path = "../../tests/it/support/wire.rs"]
mod wire;

use wire::Connection;
pub(crate) use wire::Request;

/// How long each server is asked, after a start that does not count.
pub(crate) const SPAN: Duration = Duration::from_secs(3);
pub(crate) const WARM: Duration = Duration::from_secs(1);

/// The body of one answer.
pub(crate) fn ask(address: &str, request: &Request) -> Vec<u8> {
    let mut connection = Connection::open(address).unwrap();
    assert_eq!(connection.ask(request).unwrap(), 200);
    connection.body
}

/// Answers a second to `clients` clients.
pub(crate) fn measure(address: &str, request: &Request, clients: usize) -> f64 {
    let (counting, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let answers = AtomicUsize::new(0);
    let mut time = Duration::ZERO;
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut connection = Connection::open(address).unwrap();
                while !done.load(Ordering::Relaxed) {
                    if connection.closed {
                        connection = Connection::open(address).unwrap();
                    }
                    assert_eq!(connection.ask(request).unwrap(), 200);
                    if counting.load(Ordering::Relaxed) {
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        thread::sleep(WARM);
        counting.store(true, Ordering::Relaxed);
        let start = Instant::now();
        thread::sleep(SPAN);
        counting.store(false, Ordering::Relaxed);
        time = start.elapsed();
        done.store(true, Ordering::Relaxed);
    });
    answers.into_inner() as f64 / time.as_secs_f64()
}
