//! What a collector of OpenTelemetry is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use prost::Message;
use serde_json::json;
use tonic::Request;

use crate::support::client::Client;
use crate::support::eventually;
use crate::support::grpc::Caller;
use crate::support::package;
use crate::support::proto::inference as pb;
use crate::support::server::{Server, command};

const PATIENCE: Duration = Duration::from_secs(20);

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// The messages of opentelemetry/proto/collector/trace/v1 and what they hold, as far as
/// they are looked at.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Choice", tags = "1, 3")]
    value: Option<Choice>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Choice {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Whole(i64),
}

/// `SPAN_KIND_INTERNAL`, `SPAN_KIND_SERVER`, `STATUS_CODE_ERROR`.
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const ERROR: i32 = 2;

fn about(attributes: &[KeyValue]) -> HashMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.clone().and_then(|value| value.value) {
        Some(Choice::Text(text)) => text,
        Some(Choice::Whole(number)) => number.to_string(),
        None => String::new(),
    };
    let pairs = attributes.iter().map(|pair| (pair.key.clone(), text(pair)));
    pairs.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A collector that takes everything.
struct Collector {
    url: String,
    exports: Receiver<Export>,
    waiting: Vec<Span>,
}

impl Collector {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (send, exports) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, send) = (stream.unwrap(), send.clone());
                thread::spawn(move || take(stream, &send));
            }
        });
        Self {
            url,
            exports,
            waiting: Vec::new(),
        }
    }

    fn server(&self, package: &package::Package) -> Server {
        let mut command = command(package.folder());
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url);
        command.env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        );
        Server::ready(command.env("SELDON_DEPLOYMENT_ID", "flowers"))
    }

    /// The next spans of one trace that belong together: the server's, and those below.
    fn trace(&mut self) -> (Span, HashMap<String, Span>) {
        loop {
            if let Some(place) = self.waiting.iter().position(|span| span.kind == SERVER) {
                let server = self.waiting.remove(place);
                let is_below = |span: &mut Span| span.parent_span_id == server.span_id;
                let below = self.waiting.extract_if(.., is_below);
                let below = below.map(|span| (span.name.clone(), span)).collect();
                return (server, below);
            }
            let export = self.exports.recv_timeout(PATIENCE).expect("spans");
            for all in export.resource_spans {
                let resource = about(&all.resource.unwrap().attributes);
                assert_eq!(resource["service.name"], "flowers");
                assert_eq!(resource["deployment.environment.name"], "test");
                let spans = all.scope_spans.into_iter().flat_map(|scope| scope.spans);
                self.waiting.extend(spans);
            }
        }
    }
}

fn take(stream: TcpStream, send: &Sender<Export>) {
    let mut answers = stream.try_clone().unwrap();
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut is_first = true;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_lowercase();
            if is_first {
                assert_eq!(line, "post /v1/traces http/1.1");
                is_first = false;
            } else if line.is_empty() {
                break;
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            } else if let Some(value) = line.strip_prefix("content-type: ") {
                assert_eq!(value, "application/x-protobuf");
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        answers.write_all(answer).unwrap();
        send.send(Export::decode(&body[..]).unwrap()).unwrap();
    }
}

/// That `server` is below the caller's span, and the wait and the run below `server`.
fn check(server: &Span, below: &HashMap<String, Span>) {
    assert_eq!(hex(&server.trace_id), TRACE);
    assert_eq!(hex(&server.parent_span_id), SPAN);
    for name in ["wait", "run"] {
        let span = &below[name];
        assert_eq!((hex(&span.trace_id).as_str(), span.kind), (TRACE, INTERNAL));
        assert!(span.start <= span.end);
        assert!(span.end <= server.end, "{name}");
    }
    let run = about(&below["run"].attributes);
    assert_eq!(run["model.name"], "iris");
    assert_eq!(run["model.version"], package::VERSION);
    assert_eq!(run["batch.requests"], "1");
}

#[test]
fn a_request_is_a_span_below_that_of_the_caller() {
    let package = package::iris();
    let mut collector = Collector::open();
    let server = collector.server(&package);
    let client = Client::new();
    let body = json!({"data": {"ndarray": [[5.0, 3.5, 1.0, 0.5]]}}).to_string();
    let json = ("Content-Type", "application/json");
    let w3c = format!("00-{TRACE}-{SPAN}-01");
    let jaeger = format!("{TRACE}:{SPAN}:0:1");
    let b3 = format!("{TRACE}-{SPAN}-1");
    for header in [
        ("traceparent", w3c.as_str()),
        ("uber-trace-id", &jaeger),
        ("b3", &b3),
    ] {
        let headers = [json, header, ("seldon-puid", "p1")];
        let answer = client.send("POST", &server.url("/predict"), &headers, &body);
        assert_eq!(answer.status, 200);
        let (span, below) = collector.trace();
        check(&span, &below);
        assert_eq!(span.name, "POST /predict");
        let attributes = about(&span.attributes);
        assert_eq!(attributes["http.response.status_code"], "200");
        assert_eq!(attributes["seldon.puid"], "p1");
    }
}

#[test]
fn a_call_is_a_span_too_and_an_error_says_so() {
    let package = package::iris();
    let mut collector = Collector::open();
    let server = collector.server(&package);
    let caller = Caller::new(&server.grpc);
    let call = |model: &str| {
        let tensor = pb::model_infer_request::InferInputTensor {
            name: "columns".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![1, 4],
            contents: Some(pb::InferTensorContents {
                fp32_contents: vec![5.0, 3.5, 1.0, 0.5],
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut request = Request::new(pb::ModelInferRequest {
            model_name: model.to_owned(),
            inputs: vec![tensor],
            ..Default::default()
        });
        let context = format!("00-{TRACE}-{SPAN}-01").parse().unwrap();
        request.metadata_mut().insert("traceparent", context);
        caller.wait(caller.oip().model_infer(request)).map(drop)
    };
    call("iris").unwrap();
    let (span, below) = collector.trace();
    check(&span, &below);
    assert_eq!(span.name, "inference.GRPCInferenceService/ModelInfer");
    assert_eq!(about(&span.attributes)["rpc.grpc.status_code"], "0");
    call("dogs").unwrap_err();
    let (span, below) = collector.trace();
    assert!(below.is_empty());
    assert_eq!(about(&span.attributes)["rpc.grpc.status_code"], "5");
    assert_ne!(
        span.status.map(|status| status.code),
        Some(ERROR),
        "it is the client's"
    );
}

#[test]
fn who_is_not_sampled_or_asks_no_model_is_not_told() {
    let package = package::iris();
    let mut collector = Collector::open();
    let server = collector.server(&package);
    let client = Client::new();
    let not_sampled = format!("00-{TRACE}-{SPAN}-00");
    let body = json!({"data": {"ndarray": [[5.0, 3.5, 1.0, 0.5]]}}).to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("traceparent", &not_sampled),
    ];
    let answer = client.send("POST", &server.url("/predict"), &headers, &body);
    assert_eq!(answer.status, 200);
    assert_eq!(server.get("/health/status").status, 200);
    // The next one that is told is of a trace of its own.
    assert_eq!(server.post("/api/v1.0/predictions", &body).status, 200);
    let (span, _) = collector.trace();
    assert_eq!(span.name, "POST /api/v1.0/predictions");
    assert_ne!(hex(&span.trace_id), TRACE);
    assert!(span.parent_span_id.is_empty());
}

#[test]
fn the_last_spans_are_sent_before_the_end() {
    let package = package::iris();
    let mut collector = Collector::open();
    let mut server = collector.server(&package);
    let body = json!({"data": {"ndarray": [[5.0, 3.5, 1.0, 0.5]]}}).to_string();
    assert_eq!(server.post("/predict", &body).status, 200);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(collector.trace().0.name, "POST /predict");
}

#[test]
fn without_a_collector_spans_are_lost_and_requests_answered() {
    let package = package::iris();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let server = Server::ready(command(package.folder()).env("OTEL_EXPORTER_OTLP_ENDPOINT", url));
    let body = json!({"data": {"ndarray": [[5.0, 3.5, 1.0, 0.5]]}}).to_string();
    assert_eq!(server.post("/predict", &body).status, 200);
    eventually(|| {
        let text = server.scrape("/metrics").body;
        let line = text
            .lines()
            .find(|line| line.starts_with("serve_spans_lost_total"));
        line.unwrap().ends_with(" 3")
    });
}

#[test]
fn what_cannot_be_asked_for() {
    let package = package::iris();
    for (name, value, part) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://a:4318",
            "no plain http://",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://u:secret@a",
            "no plain http://",
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "expected http/protobuf",
        ),
        ("OTEL_TRACES_EXPORTER", "zipkin", "expected otlp or none"),
    ] {
        let mut command = command(package.folder());
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        let output = command.env(name, value).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(part) && !text.contains("secret"), "{text}");
    }
}
