//! What an event sink is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::package::{self, flower};
use crate::support::server::{Server, command};

const PATIENCE: Duration = Duration::from_secs(20);

/// An event as it arrived.
#[derive(Debug)]
struct Event {
    headers: HashMap<String, String>,
    body: Value,
}

/// A sink that takes everything.
struct Sink {
    url: String,
    events: Receiver<Event>,
}

impl Sink {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/default/broker", listener.local_addr().unwrap());
        let (send, events) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, send) = (stream.unwrap(), send.clone());
                thread::spawn(move || take(stream, &send));
            }
        });
        Self { url, events }
    }

    fn server(&self, package: &package::Package, flags: &[&str]) -> Server {
        let mut command = command(package.folder());
        command.args(["--event-sink", &self.url]).args(flags);
        command.env("SELDON_DEPLOYMENT_ID", "flowers");
        command.env("PREDICTOR_ID", "default");
        Server::ready(command.env("PREDICTIVE_UNIT_ID", "iris-container"))
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event")
    }

    /// The next events, in the order of their types.
    fn several(&self, count: usize) -> Vec<Event> {
        let mut events: Vec<Event> = (0..count).map(|_| self.next()).collect();
        events.sort_by_key(|event| event.headers["ce-type"].clone());
        events
    }
}

fn take(stream: TcpStream, send: &Sender<Event>) {
    let mut answers = stream.try_clone().unwrap();
    let mut stream = BufReader::new(stream);
    loop {
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
                None if line.starts_with("POST") => headers.insert("line".to_owned(), line),
                None => break,
            };
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        answers
            .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        let _gone = send.send(Event { headers, body });
    }
}

fn row(values: [f32; 4]) -> Value {
    json!({"data": {"ndarray": [values]}})
}

#[test]
fn payloads_and_outliers_of_clients_requests() {
    let sink = Sink::open();
    let server = sink.server(&package::watched(), &["--log-payloads", "all"]);
    let asked = row([5.0, 3.0, 30.0, 1.0]);
    let answer = server.post("/api/v1.0/predictions", &asked.to_string());
    let [outlier, request, response] = &sink.several(3)[..] else {
        panic!();
    };
    assert!(
        request.headers["line"].starts_with("POST /default/broker "),
        "{request:?}"
    );
    for (event, kind) in [
        (outlier, "io.seldon.serving.inference.outlier"),
        (request, "io.seldon.serving.inference.request"),
        (response, "io.seldon.serving.inference.response"),
    ] {
        let header = |name: &str| event.headers[name].as_str();
        assert_eq!(header("ce-type"), kind);
        assert_eq!(header("ce-specversion"), "1.0");
        assert_eq!(header("ce-requestid"), answer.header("seldon-puid"));
        assert_eq!(header("ce-inferenceservicename"), "flowers");
        assert_eq!(
            (header("ce-endpoint"), header("ce-modelid")),
            ("default", "iris-container")
        );
        assert_eq!(
            (header("ce-protocol"), header("content-type")),
            ("seldon", "application/json")
        );
        assert!(!header("ce-id").is_empty() && header("ce-time").ends_with('Z'));
    }
    assert_eq!((&request.body, &response.body), (&asked, &answer.json()));
    assert_eq!(outlier.body["data"]["is_outlier"], json!([1]));
    let source = "io.seldon.serving.seldon-seldondeployment-flowers-outlier";
    assert_eq!(outlier.headers["ce-source"], source);

    // Neither what the orchestrator asks nor what is to be skipped.
    server.post("/predict", &asked.to_string());
    let skip = [
        ("seldon-skip-logging", "true"),
        ("content-type", "application/json"),
    ];
    let url = server.url("/api/v1.0/predictions");
    crate::support::client::Client::new().send("POST", &url, &skip, &asked.to_string());
    let infer = json!({"inputs": [
        {"name": "columns", "datatype": "FP32", "shape": [1, 4], "data": flower(3)}
    ]});
    server.post("/v2/models/iris/infer", &infer.to_string());
    let events = sink.several(3);
    assert!(
        events
            .iter()
            .all(|event| event.headers["ce-protocol"] == "v2"),
        "{events:?}"
    );
    assert_eq!(events[0].body["data"]["is_outlier"], json!([0]));

    let feedback = json!({"request": asked, "reward": 1.0});
    server.post("/api/v1.0/feedback", &feedback.to_string());
    assert_eq!(sink.next().headers["ce-type"], "io.seldon.serving.feedback");
}

#[test]
fn without_payloads_there_are_only_outliers_and_drift() {
    let sink = Sink::open();
    let server = sink.server(&package::watched(), &["--detect-batch-size", "50"]);
    for number in 0..50 {
        server.post("/api/v1.0/predictions", &row(flower(number)).to_string());
    }
    let events = sink.several(51);
    let (drift, outliers) = events.split_first().unwrap();
    assert_eq!(
        drift.headers["ce-type"],
        "io.seldon.serving.inference.drift"
    );
    assert_eq!(drift.body["data"]["is_drift"], 0);
    assert_eq!(drift.body["data"]["p_val"].as_array().unwrap().len(), 4);
    assert!(
        outliers
            .iter()
            .all(|it| it.headers["ce-type"].ends_with(".outlier"))
    );
}

#[test]
fn the_last_events_are_sent_before_the_end() {
    let sink = Sink::open();
    let mut server = sink.server(&package::watched(), &["--log-payloads", "request"]);
    for number in 0..100 {
        server.post("/api/v1.0/predictions", &row(flower(number)).to_string());
    }
    server.signal("TERM");
    assert!(server.wait().success());
    assert_eq!(sink.several(200).len(), 200);
}

#[test]
fn a_sink_that_is_away_costs_events_and_nothing_else() {
    let away = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let package = package::watched();
    let url = format!("http://{away}/");
    let mut server = Server::ready(command(package.folder()).args(["--event-sink", &url]));
    let answer = server.post("/api/v1.0/predictions", &row(flower(1)).to_string());
    assert_eq!(answer.status, 200);
    assert_eq!(server.line("events are lost")["sink"], url);
    assert!(
        server
            .scrape("/metrics")
            .body
            .contains("serve_events_lost_total")
    );
}

#[test]
fn wrong_settings() {
    for (flags, said) in [
        (
            &["--log-payloads", "all"][..],
            "--log-payloads needs --event-sink",
        ),
        (
            &["--event-sink", "https://broker/"],
            "expected http://HOST[:PORT]/PATH",
        ),
        (
            &["--event-sink", "http://me:hunter2@broker/"],
            "--event-sink has credentials",
        ),
    ] {
        let output = command("unused").args(flags).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(2) && text.contains(said),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}
