//! Clients that ask one server as often as it answers.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

#[allow(dead_code)]
#[path = "../../tests/it/support/wire.rs"]
mod wire;

use wire::Connection;
pub(crate) use wire::Request;

/// How long each server is asked, after a start that does not count.
const SPAN: Duration = Duration::from_secs(2);
const WARM: Duration = Duration::from_millis(500);

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
    /// Where answers come.
    fn socket(&self) -> BorrowedFd<'_>;

    /// Asks.
    fn send(&mut self);

    /// Reads the answer.
    fn receive(&mut self);
}

/// The client of a REST server.
struct Asking<'r> {
    address: &'r str,
    request: &'r Request,
    connection: Connection,
}

impl<'r> Asking<'r> {
    fn open(address: &'r str, request: &'r Request) -> Self {
        Self {
            address,
            request,
            connection: Connection::open(address).unwrap(),
        }
    }
}

impl Client for Asking<'_> {
    fn socket(&self) -> BorrowedFd<'_> {
        self.connection.stream.get_ref().as_fd()
    }

    fn send(&mut self) {
        if self.connection.closed {
            self.connection = Connection::open(self.address).unwrap();
        }
        self.connection.send(self.request).unwrap();
    }

    fn receive(&mut self) {
        assert_eq!(self.connection.receive().unwrap(), 200);
    }
}

/// Answers a second to `clients` clients.
pub(crate) fn measure(address: &str, request: &Request, clients: usize) -> f64 {
    rate(clients, || Asking::open(address, request))
}

/// Answers a second to `clients` clients, which `open` gives.
///
/// As many threads as there are processors look after them: a thread for each would
/// take more time to wake than a request takes, on the processors of the servers.
pub(crate) fn rate<C: Client>(clients: usize, open: impl Fn() -> C + Sync) -> f64 {
    let processors = thread::available_parallelism().unwrap().get();
    see(clients, clients.min(processors), SPAN, open).rate
}

/// What `clients` clients see over `span`, each on a thread of its own, as requests may
/// be long.
pub(crate) fn look(address: &str, request: &Request, clients: usize, span: Duration) -> Seen {
    see(clients, clients, span, || Asking::open(address, request))
}

/// What `clients` clients on so many threads see.
fn see<C: Client>(
    clients: usize,
    threads: usize,
    span: Duration,
    open: impl Fn() -> C + Sync,
) -> Seen {
    let state = State::default();
    let all = Mutex::new(Vec::new());
    let mut time = Duration::ZERO;
    thread::scope(|scope| {
        for thread in 0..threads {
            let own = (thread..clients).step_by(threads).len();
            let (state, all, open) = (&state, &all, &open);
            scope.spawn(move || {
                let times = look_after((0..own).map(|_| open()), state);
                all.lock().unwrap().extend(times);
            });
        }
        thread::sleep(WARM);
        state.counting.store(true, Ordering::Relaxed);
        let start = Instant::now();
        thread::sleep(span);
        state.counting.store(false, Ordering::Relaxed);
        time = start.elapsed();
        state.done.store(true, Ordering::Relaxed);
    });
    let mut all = all.into_inner().unwrap();
    all.sort_unstable();
    Seen {
        rate: all.len() as f64 / time.as_secs_f64(),
        p50: all[all.len() / 2],
    }
}

#[derive(Debug, Default)]
struct State {
    counting: AtomicBool,
    done: AtomicBool,
}

/// The times of the answers that count to `clients`, each of which asks again as soon as
/// it is answered.
fn look_after<C: Client>(clients: impl Iterator<Item = C>, state: &State) -> Vec<Duration> {
    let asking = |mut client: C| {
        client.send();
        (client, Instant::now())
    };
    let mut clients: Vec<(C, Instant)> = clients.map(asking).collect();
    let mut times = Vec::new();
    while !state.done.load(Ordering::Relaxed) {
        for place in answered(&clients) {
            let (client, since) = &mut clients[place];
            client.receive();
            if state.counting.load(Ordering::Relaxed) {
                times.push(since.elapsed());
            }
            *since = Instant::now();
            client.send();
        }
    }
    // Nothing is left to the server that its next clients would wait for.
    clients.iter_mut().for_each(|(client, _)| client.receive());
    times
}

/// The places of those for whom something has come.
fn answered<C: Client>(clients: &[(C, Instant)]) -> Vec<usize> {
    let watch = |socket| PollFd::from_borrowed_fd(socket, PollFlags::IN);
    let sockets = clients.iter().map(|(client, _)| client.socket());
    let mut watched: Vec<PollFd<'_>> = sockets.map(watch).collect();
    poll(&mut watched, None).unwrap();
    let places = watched.iter().enumerate();
    let places = places.filter(|(_, watched)| !watched.revents().is_empty());
    places.map(|(place, _)| place).collect()
}
