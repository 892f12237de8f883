//! Clients that mean harm, or know no better: each costs little, and the others
//! are served.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::client::Client;
use crate::support::package;
use crate::support::server::{Server, command};

const PREDICT: &str = "/api/v1.0/predictions";
const ROW: &str = r#"{"data":{"ndarray":[[0.5]]}}"#;
const REPLY: &str = r#"{"data":{"names":["target"],"ndarray":[[0.5]]},"meta":{}}"#;

/// A server that waits half a second for its clients.
fn impatient() -> Server {
    let package = package::identity();
    let server = Server::ready(command(package.folder()).args(["--client-timeout", "0.5"]));
    assert_eq!(server.post(PREDICT, ROW).body, REPLY);
    server
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream.set_write_timeout(patience).unwrap();
    stream
}

fn head(length: &str) -> String {
    format!("POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{length}\r\n")
}

/// Everything that comes until the server hangs up.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {bytes:?}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let server = impatient();
    for beginning in ["", "POST ", "GET /ready HTTP/1.1\r\nHost: a\r\nX: "] {
        let mut stream = connect(&server.http);
        let start = Instant::now();
        stream.write_all(beginning.as_bytes()).unwrap();
        while start.elapsed() < Duration::from_secs(5) {
            if stream.write_all(b"a").is_err() {
                break;
            }
            sleep(Duration::from_millis(50));
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{beginning:?}");
        assert_eq!(server.post(PREDICT, ROW).body, REPLY);
    }
}

#[test]
fn a_body_byte_by_byte_is_refused() {
    let server = impatient();
    let mut stream = connect(&server.http);
    stream
        .write_all(head("Content-Length: 1000\r\n").as_bytes())
        .unwrap();
    let mut answer = String::new();
    for _ in 0..200 {
        if stream.write_all(b" ").is_err() {
            break;
        }
        sleep(Duration::from_millis(20));
        stream.set_nonblocking(true).unwrap();
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes) {
            Ok(count) => {
                answer.push_str(&String::from_utf8_lossy(&bytes[..count]));
                break;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        stream.set_nonblocking(false).unwrap();
    }
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    assert!(answer.contains("the body comes too slowly"), "{answer}");
    assert_eq!(server.post(PREDICT, ROW).body, REPLY);
}

#[test]
fn a_body_that_never_ends_is_refused_at_the_limit() {
    let package = package::identity();
    let server = Server::ready(command(package.folder()).args(["--max-body", "1000000"]));
    let mut stream = connect(&server.http);
    let chunked = head("Transfer-Encoding: chunked\r\n");
    stream.write_all(chunked.as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let mut sent = 0;
    while sent < 1000 && stream.write_all(chunk.as_bytes()).is_ok() {
        sent += 1;
    }
    assert!(sent < 1000, "64 MB were taken");
    assert_eq!(server.post(PREDICT, ROW).body, REPLY);
}

#[test]
fn a_bomb_is_not_unpacked() {
    let package = package::identity();
    let server = Server::ready(command(package.folder()).args(["--max-body", "1000000"]));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    io::copy(&mut io::repeat(b' ').take(1 << 30), &mut encoder).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() > 900_000 && bomb.len() < 1_100_000);
    let half = &bomb[..900_000];
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
    ];
    let client = Client::new();
    for _ in 0..4 {
        let reply = client.send_bytes("POST", &server.url(PREDICT), &headers, half);
        assert_eq!(reply.status, 413, "{}", reply.body);
        assert!(reply.body.contains("larger than 1000000 bytes"));
    }
    assert!(server.memory() < 60 << 20, "{} bytes", server.memory());
    assert_eq!(server.post(PREDICT, ROW).body, REPLY);
}

#[test]
fn too_many_connections_are_hung_up_on() {
    let package = package::identity();
    let server = Server::ready(command(package.folder()).args(["--connections", "8"]));
    let clients: Vec<_> = (0..8).map(|_| connect(&server.http)).collect();
    let mut ninth = connect(&server.http);
    assert_eq!(rest(&mut ninth), "");
    assert_eq!(server.scrape("/metrics").status, 200, "another door");
    drop(clients);
    crate::support::eventually(|| TcpStream::connect(&server.http).is_ok_and(answers));
}

fn answers(mut stream: TcpStream) -> bool {
    let request = "GET /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let _refused = stream.write_all(request.as_bytes());
    rest(&mut stream).starts_with("HTTP/1.1 200 ")
}

#[test]
fn who_does_not_read_is_hung_up_on() {
    let server = impatient();
    let mut stream = connect(&server.http);
    // Answers pile up until neither side has room for more.
    let requests = "GET /seldon.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let mut written = Ok(());
    for _ in 0..200 {
        written = stream.write_all(requests.as_bytes());
        if written.is_err() {
            break;
        }
    }
    assert!(written.is_err(), "all requests were taken");
    assert!(server.memory() < 60 << 20, "{} bytes", server.memory());
    assert_eq!(server.post(PREDICT, ROW).body, REPLY);
}

#[test]
#[ignore = "needs 11,000 open files (ulimit -n)"]
fn ten_thousand_idle_connections_cost_little() {
    let package = package::identity();
    let server = Server::start(&package);
    let before = server.memory();
    let idle: Vec<_> = (0..10_000).map(|_| connect(&server.http)).collect();
    let client = Client::new();
    for _ in 0..100 {
        let reply = client.post(&server.url(PREDICT), "application/json", ROW);
        assert_eq!(reply.body, REPLY);
    }
    let each = (server.memory() - before) / idle.len();
    assert!(each < 16 << 10, "{each} bytes each");
}

#[test]
fn invented_methods_leave_no_trace() {
    let server = Server::start(&package::identity());
    let mut stream = connect(&server.http);
    for number in 0..200 {
        let request = format!("M{number} {PREDICT} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
    }
    let last = format!("M200 {PREDICT} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(last.as_bytes()).unwrap();
    let answers = rest(&mut stream);
    assert_eq!(answers.matches("HTTP/1.1 405 ").count(), 201);
    let metrics = server.scrape("/metrics").body;
    let lines = metrics.lines().filter(|line| line.contains("code=\"405\""));
    // A counter, and a histogram of 11 buckets with its sum and count.
    assert!(lines.count() < 20, "{metrics}");
}

/// A tensor that costs nothing to send and a terabyte to name the columns of.
#[test]
fn an_empty_array_is_not_made_large() {
    let server = Server::ready(command("unused").arg("--echo"));
    for shape in ["[0,1000000000000]", "[1000000000000,0]"] {
        let tensor = format!(r#"{{"data":{{"tensor":{{"shape":{shape},"values":[]}}}}}}"#);
        let reply = server.post(PREDICT, &tensor);
        assert_eq!(reply.status, 400, "{}", reply.body);
    }
    let reply = server.post(PREDICT, ROW);
    assert_eq!(reply.status, 200, "{}", reply.body);
}
