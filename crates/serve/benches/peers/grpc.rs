//! The same over gRPC: a call after the other on a connection for each client.
//!
//! A client library would take more of the processor than the servers, and hide what
//! they differ in. So a call is a few prepared bytes, as for REST.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use prost::Message;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::frames::{self, DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS, WINDOW_UPDATE};
use super::load::{self, Client as _};
use super::proto::inference as oip;
use super::proto::seldon::protos as seldon;
use oip::grpc_inference_service_server::{GrpcInferenceService, GrpcInferenceServiceServer};
use seldon::default_data::DataOneof;

/// A call that is made again and again.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    path: &'static str,
    /// As it goes into a frame.
    message: Vec<u8>,
}

const ROW: [f64; 4] = [5.1, 3.5, 1.4, 0.2];

/// One row as a tensor of a Seldon message.
pub(crate) fn seldon() -> Call {
    let tensor = seldon::Tensor {
        shape: vec![1, 4],
        values: ROW.into(),
    };
    let data = seldon::DefaultData {
        names: ["a", "b", "c", "d"].map(str::to_owned).into(),
        data_oneof: Some(DataOneof::Tensor(tensor)),
    };
    let message = seldon::SeldonMessage {
        data_oneof: Some(seldon::seldon_message::DataOneof::Data(data)),
        ..Default::default()
    };
    Call {
        path: "/seldon.protos.Model/Predict",
        message: frames::message(&message.encode_to_vec()),
    }
}

/// The same row to the conformance model.
pub(crate) fn oip() -> Call {
    let input = oip::model_infer_request::InferInputTensor {
        name: "x".to_owned(),
        datatype: "FP32".to_owned(),
        shape: vec![1, 4],
        contents: Some(oip::InferTensorContents {
            fp32_contents: ROW.map(|value| value as f32).into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let message = oip::ModelInferRequest {
        model_name: "echo".to_owned(),
        inputs: vec![input],
        ..Default::default()
    };
    Call {
        path: "/inference.GRPCInferenceService/ModelInfer",
        message: frames::message(&message.encode_to_vec()),
    }
}

/// The client of a gRPC server.
struct Asking<'c> {
    call: &'c Call,
    connection: BufReader<TcpStream>,
    stream: u32,
    /// The message of the last answer, with its length before it.
    answer: Vec<u8>,
    /// Its bytes, once there was one: all are alike.
    expected: Option<usize>,
    /// Bytes that came since the server was told to send more.
    received: usize,
}

/// How many bytes come before the server is told to send more: a part of what a
/// connection may carry without (RFC 9113, 6.9.2).
const REFILL: usize = 16 << 10;

impl<'c> Asking<'c> {
    fn open(address: &str, call: &'c Call) -> Self {
        let connection = frames::connect(address);
        connection.set_nodelay(true).unwrap();
        Self {
            call,
            connection: BufReader::new(connection),
            stream: 1,
            answer: Vec::new(),
            expected: None,
            received: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.connection.get_mut().write_all(bytes).unwrap();
    }

    /// Reads a frame; whether it ends the answer.
    fn read(&mut self) -> bool {
        let mut head = [0; 9];
        self.connection.read_exact(&mut head).unwrap();
        let [high, middle, low, kind, flags, ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let start = self.answer.len();
        self.answer.resize(start + length, 0);
        self.connection
            .read_exact(&mut self.answer[start..])
            .unwrap();
        if kind == DATA {
            self.received += length;
            return flags & END_STREAM != 0;
        }
        let payload = self.answer.split_off(start);
        match kind {
            HEADERS => return flags & END_STREAM != 0,
            // Else it is the server's word that it has read ours.
            SETTINGS if flags == 0 => self.write(&frames::frame(SETTINGS, 1, 0, &[])),
            PING if flags == 0 => self.write(&frames::frame(PING, 1, 0, &payload)),
            SETTINGS | PING | WINDOW_UPDATE => {}
            other => panic!("a frame of the kind {other}: {payload:?}"),
        }
        false
    }
}

impl load::Client for Asking<'_> {
    fn socket(&self) -> BorrowedFd<'_> {
        self.connection.get_ref().as_fd()
    }

    fn send(&mut self) {
        let head = match self.expected {
            None => known_head(self.call.path),
            Some(_) => same_head(),
        };
        let mut bytes = frames::frame(HEADERS, END_HEADERS, self.stream, &head);
        bytes.extend(frames::frame(
            DATA,
            END_STREAM,
            self.stream,
            &self.call.message,
        ));
        if self.received > REFILL {
            let more = u32::try_from(self.received).unwrap().to_be_bytes();
            bytes.extend(frames::frame(WINDOW_UPDATE, 0, 0, &more));
            self.received = 0;
        }
        self.write(&bytes);
        self.stream += 2;
    }

    fn receive(&mut self) {
        self.answer.clear();
        while !self.read() {}
        // A call that fails has none.
        assert!(!self.answer.is_empty(), "{} failed", self.call.path);
        let expected = *self.expected.get_or_insert(self.answer.len());
        assert_eq!(self.answer.len(), expected);
    }
}

/// The head of a connection's first call of `path`, whose headers the server adds to its
/// table (RFC 7541, 6.2.1), as client libraries have it.
fn known_head(path: &str) -> Vec<u8> {
    let mut head = frames::POST_BY_HTTP.to_vec();
    for (name, value) in frames::headers(path) {
        let mut added = frames::header(name, value);
        added[0] = 0x40;
        head.extend(added);
    }
    head
}

/// The head of the connection's other calls: the numbers of these headers (RFC 7541,
/// 6.1), the first of which came last into the table, behind the 61 of every connection.
fn same_head() -> Vec<u8> {
    let own = (62..62 + frames::headers("").len()).rev();
    let own = own.map(|number| 0x80 | u8::try_from(number).unwrap());
    frames::POST_BY_HTTP.into_iter().chain(own).collect()
}

/// Answers a second to `clients` clients.
pub(crate) fn measure(address: &str, call: &Call, clients: usize) -> f64 {
    load::rate(clients, || Asking::open(address, call))
}

/// The answer of `address` to a call of the Open Inference Protocol.
pub(crate) fn ask(address: &str, call: &Call) -> oip::ModelInferResponse {
    let mut client = Asking::open(address, call);
    client.send();
    client.receive();
    let (_length, message) = client.answer.split_at(5);
    oip::ModelInferResponse::decode(message).unwrap()
}

struct Constant(oip::ModelInferResponse);

#[tonic::async_trait]
impl GrpcInferenceService for Constant {
    async fn model_infer(
        &self,
        _: Request<oip::ModelInferRequest>,
    ) -> Result<Response<oip::ModelInferResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }
}

/// A service that returns `answer`, and nothing else; gives its address.
pub(crate) fn bare(answer: oip::ModelInferResponse) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    listener.set_nonblocking(true).unwrap();
    let service = GrpcInferenceServiceServer::new(Constant(answer));
    thread::spawn(move || {
        Runtime::new().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(incoming).await.unwrap();
        });
    });
    address
}
