//! From the start to the end of the process.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use model::MANIFEST_FILE;

use crate::support::client::Client;
use crate::support::package::{self, Package};
use crate::support::server::{Server, command};

const PREDICT: &str = "/api/v1.0/predictions";
const ROW: &str = r#"{"data":{"ndarray":[[0.5]]}}"#;
const REPLY: &str = r#"{"data":{"names":["target"],"ndarray":[[0.5]]},"meta":{}}"#;

/// Puts a pipe in the place of the package's description, so that loading waits
/// until the returned description is written to it.
fn hold(package: &Package) -> impl FnOnce() + use<> {
    let path = package.path.join(MANIFEST_FILE);
    let description = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    // Aside, as it waits for ever for a reader that has ended.
    move || drop(thread::spawn(|| fs::write(path, description).unwrap()))
}

#[test]
fn early_bind_says_that_it_is_not_ready() {
    let package = package::identity();
    let release = hold(&package);
    let mut server = Server::listening(&mut command(package.folder()));
    let unavailable = "{\"status\":{\"code\":-1,\"info\":\"the model is being loaded\",\
                       \"reason\":\"MICROSERVICE_UNAVAILABLE\",\"status\":1}}";
    let error = r#"{"error":"the model is being loaded"}"#;
    for (path, status, body) in [
        ("/health/ping", 200, "pong"),
        ("/live", 200, ""),
        ("/ready", 503, ""),
        ("/health/status", 503, unavailable),
        ("/metadata", 503, unavailable),
        ("/v2/health/live", 200, r#"{"live":true}"#),
        ("/v2/health/ready", 503, r#"{"ready":false}"#),
        ("/v2/models/identity", 503, error),
        ("/v2/models/identity/ready", 503, error),
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{path}"
        );
    }
    for (path, body) in [(PREDICT, unavailable), ("/v2/models/identity/infer", error)] {
        let answer = server.post(path, ROW);
        assert_eq!((answer.status, answer.body.as_str()), (503, body), "{path}");
        assert_eq!(answer.header("retry-after"), "1");
    }
    release();
    server.line("ready");
    assert_eq!(server.get("/health/status").status, 200);
    assert_eq!(server.get("/v2/health/ready").status, 200);
    assert_eq!(server.post(PREDICT, ROW).body, REPLY);
}

#[test]
fn the_port_opens_when_the_model_is_ready() {
    let package = package::identity();
    let release = hold(&package);
    let port = free_port();
    let mut command = command(package.folder());
    let held =
        thread::spawn(move || Server::ready(command.args(["--http-port", &port.to_string()])));
    sleep(Duration::from_millis(300));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    release();
    let server = held.join().unwrap();
    assert_eq!(server.get("/health/status").status, 200);
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn a_signal_during_the_load_ends_it() {
    let package = package::identity();
    let _never_released = hold(&package);
    let mut server = Server::listening(&mut command(package.folder()));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn what_cannot_be_loaded_ends_the_start_with_the_reason() {
    let damaged = package::iris();
    damaged.damage();
    let missing = package::iris();
    fs::remove_file(missing.path.join("model.onnx")).unwrap();
    let whole = package::iris();
    let other = package::identity().digest.to_string();
    let parameter = |name: &str, value: &str| {
        format!(r#"[{{"name":"{name}","value":"{value}","type":"STRING"}}]"#)
    };
    for (package, parameters, reason) in [
        (damaged.folder(), "[]".to_owned(), "model.onnx is damaged"),
        (missing.folder(), "[]".to_owned(), "model.onnx is missing"),
        (
            "/does/not/exist",
            "[]".to_owned(),
            "/does/not/exist is not a directory",
        ),
        (
            whole.folder(),
            parameter("model_digest", &other),
            "expected sha256:",
        ),
        (
            whole.folder(),
            parameter("model_name", "dogs"),
            "asks for \"dogs\"",
        ),
        (
            whole.folder(),
            parameter("model_version", "7"),
            "asks for \"7\"",
        ),
    ] {
        for early in ["false", "true"] {
            let mut command = command(package);
            command.env("PREDICTIVE_UNIT_PARAMETERS", &parameters);
            let output = command.env("SERVE_EARLY_BIND", early).output().unwrap();
            let log = String::from_utf8(output.stderr).unwrap();
            let last = log.lines().last().unwrap();
            let line: serde_json::Value = serde_json::from_str(last).unwrap();
            let message = line["message"].as_str().unwrap();
            assert!(message.contains(reason), "{message}");
            assert_eq!(line["level"], "ERROR");
            assert_eq!(output.status.code(), Some(1), "{reason}");
        }
    }
    let digest = whole.digest.to_string();
    let parameters = parameter("model_digest", &digest);
    Server::ready(command(whole.folder()).env("PREDICTIVE_UNIT_PARAMETERS", parameters));
}

#[test]
fn a_taken_port_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let package = package::identity();
    let output = command(package.folder())
        .args(["--http-port", &port])
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{log}"
    );
    assert_eq!(output.status.code(), Some(1));
}

/// A request whose second half is still to come.
struct Half(TcpStream);

impl Half {
    fn send(address: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        let (head, length) = ("Content-Type: application/json\r\nHost: a", ROW.len());
        let request =
            format!("POST {PREDICT} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(&ROW.as_bytes()[..5]).unwrap();
        Self(stream)
    }

    fn finish(mut self) -> String {
        self.0.write_all(&ROW.as_bytes()[5..]).unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn a_drain_under_load_loses_nothing() {
    let package = package::identity();
    let mut server = Server::ready(command(package.folder()).args(["--drain-delay", "1.5"]));
    let url = server.url(PREDICT);
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (url, done, answered) = (url.clone(), Arc::clone(&done), Arc::clone(&answered));
            thread::spawn(move || {
                let client = Client::new();
                while !done.load(Ordering::SeqCst) {
                    let answer = client.post(&url, "application/json", ROW);
                    assert_eq!((answer.status, answer.body.as_str()), (200, REPLY));
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    sleep(Duration::from_millis(200));
    let half = Half::send(&server.http);
    server.signal("TERM");
    server.line("draining");
    let before = answered.load(Ordering::SeqCst);
    let status = server.get("/health/status");
    assert_eq!((status.status, status.header("connection")), (503, "close"));
    assert_eq!(server.get("/v2/health/ready").status, 503);
    assert_eq!(server.get("/health/ping").status, 200);
    assert_eq!(server.post(PREDICT, ROW).header("connection"), "close");
    // The cluster has noticed: clients stop well before the port closes.
    sleep(Duration::from_millis(700));
    done.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    assert!(
        answered.load(Ordering::SeqCst) > before,
        "answered while draining"
    );
    while TcpStream::connect(&server.http).is_ok() {
        sleep(Duration::from_millis(50));
    }
    let answer = half.finish();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with(REPLY), "{answer}");
    assert_eq!(server.wait().code(), Some(0));
    server.line("stopped");
}

/// Eight clients that ask again at once, where three requests have room.
#[test]
fn beyond_the_capacity_there_is_only_503_and_the_drain_loses_nothing() {
    let package = package::identity();
    let arguments = ["--threads", "1", "--queue", "2", "--drain-delay", "1"];
    let mut server = Server::ready(command(package.folder()).args(arguments));
    let url = server.url(PREDICT);
    // Long enough to keep the only thread busy.
    let rows = format!(
        r#"{{"data":{{"ndarray":[{}[0.5]]}}}}"#,
        "[0.5],".repeat(20_000)
    );
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (url, done, rows) = (url.clone(), Arc::clone(&done), rows.clone());
            thread::spawn(move || {
                let (client, mut answered, mut refused) = (Client::new(), 0, 0);
                while !done.load(Ordering::SeqCst) {
                    let answer = client.post(&url, "application/json", &rows);
                    match answer.status {
                        200 => answered += 1,
                        503 => {
                            assert_eq!(answer.header("retry-after"), "1");
                            refused += 1;
                        }
                        other => panic!("{other}: {}", answer.body),
                    }
                }
                (answered, refused)
            })
        })
        .collect();
    sleep(Duration::from_millis(1500));
    assert_eq!(server.get("/health/status").status, 200, "still in time");
    server.signal("TERM");
    server.line("draining");
    sleep(Duration::from_millis(300));
    done.store(true, Ordering::SeqCst);
    let sum = |sum: (usize, usize), one: (usize, usize)| (sum.0 + one.0, sum.1 + one.1);
    let clients = clients.into_iter().map(|client| client.join().unwrap());
    let (answered, refused) = clients.fold((0, 0), sum);
    assert!(answered > 0 && refused > 0, "{answered} and {refused}");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_drain() {
    let package = package::identity();
    let mut server = Server::ready(command(package.folder()).args(["--drain-delay", "600"]));
    server.signal("INT");
    server.line("draining");
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn clients_that_hang_up_leave_the_server_as_it_was() {
    let package = package::identity();
    let mut server = Server::ready(&mut command(package.folder()));
    for _ in 0..50 {
        drop(Half::send(&server.http));
    }
    assert_eq!(server.post(PREDICT, ROW).body, REPLY);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
