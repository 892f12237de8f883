//! As `hostile`, at the gRPC port: frames that no client library sends.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use prost::Message;

use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, LONGEST, PING, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, connect, frame, head, header, message, send_until_cut,
};
use crate::support::grpc::Caller;
use crate::support::package::{self, Package};
use crate::support::proto::inference as pb;
use crate::support::server::Server;

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

/// What a server in these tests may hold, in bytes: it starts with a fifth of that.
const MEMORY: usize = 60 << 20;

/// More than any of these connections should get rid of.
const MOST: usize = 256 << 20;

fn start() -> (Package, Server) {
    let package = package::identity();
    let server = Server::start(&package);
    (package, server)
}

fn request() -> pb::ModelInferRequest {
    pb::ModelInferRequest {
        model_name: "identity".to_owned(),
        inputs: vec![pb::model_infer_request::InferInputTensor {
            name: "x".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![1, 1],
            contents: Some(pb::InferTensorContents {
                fp32_contents: vec![0.5],
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Another client gets its answers over both protocols.
fn others_are_served(server: &Server) {
    let caller = Caller::new(&server.grpc);
    let mut client = caller.oip();
    for _ in 0..20 {
        let reply = caller.wait(client.model_infer(request())).unwrap();
        let outputs = reply.into_inner().outputs;
        let contents = outputs[0].contents.as_ref().unwrap();
        assert_eq!(contents.fp32_contents, [0.5]);
        assert_eq!(server.get("/ready").status, 200);
    }
    assert!(server.memory() < MEMORY, "{} bytes", server.memory());
}

/// The numbers of a client's streams.
fn numbers() -> impl Iterator<Item = u32> {
    (1..).step_by(2)
}

/// A whole call, and its reset, as fast as can be.
fn reset_call(number: u32) -> Vec<u8> {
    let mut bytes = frame(HEADERS, END_HEADERS, number, &head(INFER));
    let body = message(&request().encode_to_vec());
    bytes.extend(frame(DATA, END_STREAM, number, &body));
    bytes.extend(frame(RST_STREAM, 0, number, &8_u32.to_be_bytes()));
    bytes
}

/// A stream that the server itself must reset, as the client breaks its rules.
fn made_to_reset(number: u32) -> Vec<u8> {
    let mut bytes = frame(HEADERS, END_HEADERS, number, &head(INFER));
    bytes.extend(frame(WINDOW_UPDATE, 0, number, &[0; 4]));
    bytes
}

/// Sends `broken` on stream after stream; the server hangs up early.
fn ends(broken: fn(u32) -> Vec<u8>) {
    let (_package, server) = start();
    let mut stream = connect(&server.grpc);
    let mut numbers = numbers();
    let sent = send_until_cut(&mut stream, MOST, || broken(numbers.next().unwrap()));
    assert!(sent.is_some_and(|sent| sent < MOST), "{sent:?}");
    others_are_served(&server);
}

#[test]
fn streams_that_are_reset_at_once_end_the_connection() {
    ends(|number| {
        let mut bytes = frame(HEADERS, END_HEADERS, number, &head(INFER));
        bytes.extend(frame(RST_STREAM, 0, number, &8_u32.to_be_bytes()));
        bytes
    });
}

#[test]
fn calls_that_are_reset_at_once_end_the_connection() {
    ends(reset_call);
}

#[test]
fn streams_that_the_server_must_reset_end_the_connection() {
    ends(made_to_reset);
}

/// Each client comes again as soon as it is hung up on.
#[test]
fn others_are_served_while_clients_reset() {
    let (_package, server) = start();
    let (done, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let attack = |broken: fn(u32) -> Vec<u8>| {
        while !done.load(Ordering::Relaxed) {
            let mut stream = connect(&server.grpc);
            let mut numbers = numbers();
            send_until_cut(&mut stream, 1 << 20, || broken(numbers.next().unwrap()));
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for broken in [reset_call, made_to_reset] {
            scope.spawn(move || attack(broken));
        }
        sleep(Duration::from_millis(200));
        for _ in 0..5 {
            others_are_served(&server);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(rounds.into_inner() > 4);
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let (_package, server) = start();
    let mut stream = connect(&server.grpc);
    let begin = frame(HEADERS, 0, 1, &head(INFER));
    stream.write_all(&begin).unwrap();
    let more = frame(CONTINUATION, 0, 1, &header("x", "y").repeat(2000));
    let sent = send_until_cut(&mut stream, MOST, || more.clone());
    assert!(sent.is_some_and(|sent| sent < 8 << 20), "{sent:?}");
    others_are_served(&server);
}

/// A header is sent once and then named by its number in HPACK's table.
#[test]
fn a_head_that_unpacks_to_much_is_refused() {
    let (_package, server) = start();
    let mut stream = connect(&server.grpc);
    let mut names = head(INFER);
    // With indexing: `x` and 120 bytes, number 62 from then on.
    names.extend([0x40, 1, b'x', 120]);
    names.extend([b'y'; 120]);
    names.extend([0x80 | 62].repeat(LONGEST - names.len()));
    let mut numbers = numbers();
    let mut next = || {
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            numbers.next().unwrap(),
            &names,
        )
    };
    for _ in 0..200 {
        // It may hang up.
        let _cut = stream.write_all(&next());
    }
    others_are_served(&server);
}

/// Each wants an answer that nobody reads.
#[test]
fn pings_and_settings_without_end_are_not_hoarded() {
    let (_package, server) = start();
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[])] {
        let mut stream = connect(&server.grpc);
        stream
            .set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let frames = frame(kind, 0, 0, payload).repeat(1000);
        let mut sent = 0;
        while sent < MOST / 8 && stream.write_all(&frames).is_ok() {
            sent += frames.len();
        }
        assert!(sent < MOST / 8, "all frames of kind {kind} were taken");
        others_are_served(&server);
    }
}

#[test]
fn a_message_that_never_ends_is_not_kept() {
    let (_package, server) = start();
    let mut endless = connect(&server.grpc);
    let open = |stream: &mut TcpStream, path| {
        let head = frame(HEADERS, END_HEADERS, 1, &head(path));
        stream.write_all(&head).unwrap();
    };
    open(&mut endless, INFER);
    // A length that nobody has, and then messages without end.
    let announced = frame(DATA, 0, 1, &[0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
    endless.write_all(&announced).unwrap();
    others_are_served(&server);
    let mut several = connect(&server.grpc);
    several
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    open(&mut several, INFER);
    let messages = message(&request().encode_to_vec()).repeat(300);
    let mut sent = 0;
    while sent < MOST / 8 && several.write_all(&frame(DATA, 0, 1, &messages)).is_ok() {
        sent += messages.len();
    }
    others_are_served(&server);
}

#[test]
fn bytes_one_by_one_hold_up_nobody() {
    let (_package, server) = start();
    let mut slow: Vec<TcpStream> = (0..50)
        .map(|_| TcpStream::connect(&server.grpc).unwrap())
        .collect();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n" {
        for stream in &mut slow {
            stream.write_all(&[*byte]).unwrap();
        }
        sleep(Duration::from_millis(20));
    }
    let mut late: Vec<TcpStream> = (0..50).map(|_| connect(&server.grpc)).collect();
    let call = frame(HEADERS, END_HEADERS, 1, &head(INFER));
    for byte in call {
        for stream in &mut late {
            stream.write_all(&[byte]).unwrap();
        }
    }
    others_are_served(&server);
}

#[test]
#[ignore = "needs 11,000 open files (ulimit -n)"]
fn ten_thousand_idle_connections_cost_little() {
    let (_package, server) = start();
    others_are_served(&server);
    let before = server.memory();
    let idle: Vec<_> = (0..10_000).map(|_| connect(&server.grpc)).collect();
    let caller = Caller::new(&server.grpc);
    let mut client = caller.oip();
    for _ in 0..100 {
        caller.wait(client.model_infer(request())).unwrap();
    }
    let each = (server.memory() - before) / idle.len();
    assert!(each < 32 << 10, "{each} bytes each");
}
