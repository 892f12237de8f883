//! HTTP/2 by hand (RFC 9113), for what no client library sends.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
const GOAWAY: u8 = 7;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// The longest payload that any server takes.
pub(crate) const LONGEST: usize = 16 << 10;

/// How long the server may take to hang up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header as HPACK has it without its tables (RFC 7541, 6.2.2).
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).ok().filter(|&n| n < 127).unwrap());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// POST and http by their numbers in HPACK's table.
pub(crate) const POST_BY_HTTP: [u8; 2] = [0x83, 0x86];

/// The other headers of a call of `path`.
pub(crate) fn headers(path: &str) -> [(&str, &str); 4] {
    [
        (":path", path),
        (":authority", "a"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
}

/// The head of a call of `path`.
pub(crate) fn head(path: &str) -> Vec<u8> {
    let mut head = POST_BY_HTTP.to_vec();
    for (name, value) in headers(path) {
        head.extend(header(name, value));
    }
    head
}

/// A message as a call carries it, not compressed.
pub(crate) fn message(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], &length[..], bytes].concat()
}

/// A connection with its greetings sent.
pub(crate) fn connect(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
    stream
}

/// Sends what `next` gives until the server hangs up; gives the bytes that it took
/// when it does so before `most` of them.
pub(crate) fn send_until_cut(
    stream: &mut TcpStream,
    most: usize,
    mut next: impl FnMut() -> Vec<u8>,
) -> Option<usize> {
    let mut reader = stream.try_clone().unwrap();
    let reading = std::thread::spawn(move || ending(&mut reader));
    let mut sent = 0;
    while sent < most {
        let bytes = next();
        if stream.write_all(&bytes).is_err() {
            break;
        }
        sent += bytes.len();
    }
    reading.join().unwrap().then_some(sent)
}

/// Reads on; whether the server ends the connection, with a GOAWAY or without.
fn ending(stream: &mut TcpStream) -> bool {
    let mut head = [0; 9];
    loop {
        match stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
        if head[3] == GOAWAY {
            return true;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        if stream.read_exact(&mut payload).is_err() {
            return true;
        }
    }
}
