//! Twice as many requests as the server can answer, and its end in the middle of them.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::package::{self, Package};
use super::server::{Server, command};
use super::wire::{Connection, Request};

/// How long a prediction may wait for its turn, in seconds; the server starts none
/// that is older.
pub(crate) const QUEUE_AGE: f64 = 2.0;

/// How long the server goes on answering after the signal, in seconds.
const DRAIN_DELAY: f64 = 2.0;

/// Requests that may wait: more than half a second of work, so that the end meets some.
const QUEUE: usize = 64;

/// More than can be in flight, so that the load does not wait for answers.
const CLIENTS: usize = 2 * QUEUE;

/// Rows of a request: some milliseconds of work.
const ROWS: usize = 10_000;

/// What became of the requests that were offered.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    /// Seconds from when each request was due to its answer, of those answered with 200.
    pub(crate) answered: Vec<f64>,
    /// Requests answered with 503 and the time to come again.
    pub(crate) refused: usize,
    /// What else happened to a request.
    pub(crate) lost: Vec<String>,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Requests a second that the server answers to clients who wait for it.
    pub(crate) capacity: f64,
    /// Until the signal and after it.
    pub(crate) offered: Offered,
    /// Bytes of memory every half second, until the signal.
    pub(crate) memory: Vec<usize>,
    /// The exit status.
    pub(crate) status: Option<i32>,
}

/// Finds the capacity of a server of one thread, offers twice as much for `span`, and
/// goes on while the server drains.
pub(crate) fn overload(span: Duration) -> Seen {
    let package = package::identity();
    let mut server = Server::ready(&mut one_thread(&package));
    let rows = "[0.5],".repeat(ROWS - 1);
    let json = format!(r#"{{"data":{{"ndarray":[{rows}[0.5]]}}}}"#);
    let request = Request::post("/api/v1.0/predictions", &json);
    let capacity = capacity(&server.http, &request);
    let (done, start) = (AtomicBool::new(false), Instant::now());
    let (mut memory, rate) = (Vec::new(), 2.0 * capacity);
    let offered = thread::scope(|scope| {
        let offering = scope.spawn(|| offer(&server.http, &request, rate, &done));
        while start.elapsed() < span {
            sleep(Duration::from_millis(500));
            memory.push(server.memory());
        }
        server.signal("TERM");
        // The cluster has noticed: nothing comes any more, and much is in flight when
        // the port closes.
        sleep(Duration::from_secs_f64(DRAIN_DELAY - 0.3));
        done.store(true, Ordering::Relaxed);
        offering.join().unwrap()
    });
    Seen {
        capacity,
        offered,
        memory,
        status: server.wait().code(),
    }
}

fn one_thread(package: &Package) -> Command {
    let mut command = command(package.folder());
    // The last of two flags counts.
    command.args(["--threads", "1", "--queue", &QUEUE.to_string()]);
    command.args(["--queue-age", &QUEUE_AGE.to_string()]);
    command.args(["--drain-delay", &DRAIN_DELAY.to_string()]);
    command
}

fn capacity(address: &str, request: &Request) -> f64 {
    const SPAN: Duration = Duration::from_secs(3);
    let answers = AtomicU32::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut connection = Connection::open(address).unwrap();
                while start.elapsed() < SPAN {
                    assert_eq!(connection.ask(request).unwrap(), 200);
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    f64::from(answers.into_inner()) / start.elapsed().as_secs_f64()
}

/// Offers `rate` requests a second, whatever becomes of them, until `done`.
fn offer(address: &str, request: &Request, rate: f64, done: &AtomicBool) -> Offered {
    let (start, next) = (Instant::now(), AtomicU32::new(0));
    thread::scope(|scope| {
        let client = || {
            let mut offered = Offered::default();
            let mut connection = None;
            loop {
                let number = f64::from(next.fetch_add(1, Ordering::Relaxed));
                let due = start + Duration::from_secs_f64(number / rate);
                sleep(due.saturating_duration_since(Instant::now()));
                if done.load(Ordering::Relaxed) {
                    return offered;
                }
                offered.ask(address, request, &mut connection, due);
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let all = clients.into_iter().map(|client| client.join().unwrap());
        all.fold(Offered::default(), Offered::with)
    })
}

impl Offered {
    /// Asks on `connection`, or on a new one where the server has closed it.
    fn ask(
        &mut self,
        address: &str,
        request: &Request,
        connection: &mut Option<Connection>,
        due: Instant,
    ) {
        let mut open = match connection.take() {
            Some(open) => open,
            None => match Connection::open(address) {
                Ok(open) => open,
                Err(error) => return self.lost.push(error.to_string()),
            },
        };
        match open.ask(request) {
            Ok(200) => self.answered.push(due.elapsed().as_secs_f64()),
            Ok(503) if open.retry_after => self.refused += 1,
            Ok(status) => self.lost.push(status.to_string()),
            Err(error) => return self.lost.push(error.to_string()),
        }
        *connection = Some(open).filter(|open| !open.closed);
    }

    fn with(mut self, other: Self) -> Self {
        self.answered.extend(other.answered);
        self.refused += other.refused;
        self.lost.extend(other.lost);
        self
    }
}

impl Seen {
    /// The memory in the middle of the first half and of the second, in bytes.
    pub(crate) fn halves(&self) -> [usize; 2] {
        let (first, second) = self.memory.split_at(self.memory.len() / 2);
        [first, second].map(|half| {
            let mut sorted = half.to_vec();
            sorted.sort_unstable();
            sorted[sorted.len() / 2]
        })
    }
}
