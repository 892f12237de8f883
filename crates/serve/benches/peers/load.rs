//! A client that costs as little as can be: one prepared request, sent again and
//! again on a connection that is kept as long as the server keeps it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long each server is asked, after a start that does not count.
pub(crate) const SPAN: Duration = Duration::from_secs(3);
pub(crate) const WARM: Duration = Duration::from_secs(1);

/// A request as it goes over the wire.
pub(crate) struct Request(Vec<u8>);

impl Request {
    pub(crate) fn post(path: &str, json: &str) -> Self {
        let length = json.len();
        let head = "Host: localhost\r\nContent-Type: application/json";
        let text =
            format!("POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{json}");
        Self(text.into_bytes())
    }
}

/// The body of one answer.
pub(crate) fn ask(address: &str, request: &Request) -> Vec<u8> {
    let mut connection = Connection::open(address);
    connection.ask(request);
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
                let mut connection = Connection::open(address);
                while !done.load(Ordering::Relaxed) {
                    if connection.closed {
                        connection = Connection::open(address);
                    }
                    connection.ask(request);
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

struct Connection {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
    line: String,
    closed: bool,
}

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
            body: Vec::new(),
            line: String::new(),
            closed: false,
        }
    }

    /// Sends the request and reads the answer, which must be a success.
    fn ask(&mut self, request: &Request) {
        self.stream.get_mut().write_all(&request.0).unwrap();
        let mut length = 0;
        let mut first = true;
        loop {
            self.line.clear();
            self.stream.read_line(&mut self.line).unwrap();
            let line = self.line.trim_end();
            if first {
                assert!(line.contains(" 200 "), "{line:?}");
                first = false;
            }
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            } else if name.eq_ignore_ascii_case("connection") {
                self.closed = value.trim().eq_ignore_ascii_case("close");
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).unwrap();
    }
}
