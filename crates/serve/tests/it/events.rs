//! What an event sink is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::grpc::Caller;
use crate::support::package::{self, flower};
use crate::support::proto::inference as pb;
use crate::support::proto::seldon::protos as seldon;
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
    let answer = server.post("/v2/models/iris/infer", &infer.to_string());
    let events = sink.several(3);
    let id = answer.header("seldon-puid");
    assert!(!id.is_empty() && events.iter().all(|it| it.headers["ce-requestid"] == id));
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

/// A row, as the Open Inference Protocol asks it over gRPC.
fn columns(values: [f32; 4], raw: bool) -> pb::ModelInferRequest {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let contents = pb::InferTensorContents {
        fp32_contents: values.into(),
        ..Default::default()
    };
    pb::ModelInferRequest {
        model_name: "iris".to_owned(),
        id: "7".to_owned(),
        inputs: vec![pb::model_infer_request::InferInputTensor {
            name: "columns".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![1, 4],
            contents: (!raw).then_some(contents),
            ..Default::default()
        }],
        raw_input_contents: raw.then(|| bytes.into()).into_iter().collect(),
        ..Default::default()
    }
}

#[test]
fn calls_are_told_in_the_json_of_their_protocol() {
    let sink = Sink::open();
    let server = sink.server(&package::watched(), &["--log-payloads", "all"]);
    let caller = Caller::new(&server.grpc);
    let row = [5.0, 3.0, 30.0, 1.0];
    let asked = json!({"id": "7", "inputs": [
        {"name": "columns", "shape": [1, 4], "datatype": "FP32", "data": row}
    ]});
    let rest = server
        .post("/v2/models/iris/infer", &asked.to_string())
        .json();
    assert_eq!(sink.several(3).len(), 3);
    for raw in [false, true] {
        let mut request = tonic::Request::new(columns(row, raw));
        let id = "call-1".parse().unwrap();
        request.metadata_mut().insert("seldon-puid", id);
        caller.wait(caller.oip().model_infer(request)).unwrap();
        let [outlier, request, response] = &sink.several(3)[..] else {
            panic!();
        };
        for event in [outlier, request, response] {
            assert_eq!(event.headers["ce-requestid"], "call-1");
            assert_eq!(event.headers["ce-protocol"], "v2");
            assert_eq!(event.headers["content-type"], "application/json");
        }
        assert_eq!((&request.body, &response.body), (&asked, &rest));
        assert_eq!(outlier.body["data"]["is_outlier"], json!([1]));
    }
}

#[test]
fn calls_of_seldon_clients_are_told_and_those_of_the_orchestrator_are_not() {
    let sink = Sink::open();
    let server = sink.server(&package::watched(), &["--log-payloads", "all"]);
    let caller = Caller::new(&server.grpc);
    let tensor = seldon::default_data::DataOneof::Tensor(seldon::Tensor {
        shape: vec![1, 4],
        values: vec![5.0, 3.0, 30.0, 1.0],
    });
    let message = seldon::SeldonMessage {
        data_oneof: Some(seldon::seldon_message::DataOneof::Data(
            seldon::DefaultData {
                names: Vec::new(),
                data_oneof: Some(tensor),
            },
        )),
        ..Default::default()
    };
    let mut orchestrator = seldon::model_client::ModelClient::new(caller.channel.clone());
    caller.wait(orchestrator.predict(message.clone())).unwrap();
    let mut client = seldon::seldon_client::SeldonClient::new(caller.channel.clone());
    let mut skipped = tonic::Request::new(message.clone());
    skipped
        .metadata_mut()
        .insert("seldon-skip-logging", "1".parse().unwrap());
    caller.wait(client.predict(skipped)).unwrap();
    caller.wait(client.predict(message.clone())).unwrap();
    let [outlier, request, response] = &sink.several(3)[..] else {
        panic!();
    };
    assert_eq!(
        request.body["data"]["tensor"]["values"],
        json!([5.0, 3.0, 30.0, 1.0])
    );
    assert_eq!(response.body["data"]["names"][0], "setosa");
    assert_eq!(response.body["meta"]["tags"]["is_outlier"], true);
    assert_eq!(outlier.body["data"]["is_outlier"], json!([1]));
    let feedback = seldon::Feedback {
        request: Some(message),
        reward: 0.5,
        ..Default::default()
    };
    caller.wait(client.send_feedback(feedback)).unwrap();
    let event = sink.next();
    assert_eq!(event.headers["ce-type"], "io.seldon.serving.feedback");
    assert_eq!(event.body["reward"], 0.5);
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
