//! What the three clouds answer to `GET` of an object: a status, its length, an
//! entity tag and a time (AWS, GetObject; Google, XML API; Azure, Get Blob). An
//! object that is `PUT` is kept, and answered likewise.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is answered for an object.
pub(crate) enum Answer {
    Content(Vec<u8>),
    Status(u16),
}

#[derive(Default)]
struct Shared {
    objects: BTreeMap<String, Answer>,
    authorizations: Vec<String>,
}

/// A server on loopback, which ends with the test.
pub(crate) struct Bucket {
    address: String,
    shared: Arc<Mutex<Shared>>,
}

impl Bucket {
    /// Serves objects by the path of their address.
    pub(crate) fn start(objects: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let objects = objects.into_iter();
        let shared = Arc::new(Mutex::new(Shared {
            objects: objects
                .map(|(path, bytes)| (path, Answer::Content(bytes)))
                .collect(),
            ..Shared::default()
        }));
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let served = Arc::clone(&served);
                // A connection that breaks is the client's affair.
                thread::spawn(move || drop(serve(connection.unwrap(), &served)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        let mut shared = self.shared.lock().unwrap();
        shared.objects.insert(path.to_owned(), answer);
    }

    /// The authorization of each request since the last look.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().authorizations)
    }
}

fn serve(mut connection: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let (mut authorization, mut length) = (String::new(), 0);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => authorization = value.to_owned(),
                "content-length" => length = value.parse().unwrap(),
                _ => {}
            }
        }
        let mut sent = vec![0; length];
        reader.read_exact(&mut sent)?;
        let address = request.split(' ').nth(1).unwrap();
        let path = decoded(address.split('?').next().unwrap());
        let mut shared = shared.lock().unwrap();
        shared.authorizations.push(authorization);
        if request.starts_with("PUT ") {
            shared.objects.insert(path.clone(), Answer::Content(sent));
        }
        let (status, body) = match shared.objects.get(&path) {
            Some(Answer::Content(bytes)) => (200, bytes.clone()),
            Some(Answer::Status(status)) => (*status, b"<Error><Code>No</Code></Error>".to_vec()),
            None => (404, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        };
        let body = if request.starts_with("PUT ") {
            Vec::new()
        } else {
            body
        };
        write!(
            connection,
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nETag: \"1\"\r\n\
             Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n",
            body.len()
        )?;
        connection.write_all(&body)?;
    }
}

/// Without percent-encoding.
fn decoded(path: &str) -> String {
    let mut bytes = path.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
            let digits = str::from_utf8(&digits).unwrap();
            plain.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            plain.push(byte);
        }
    }
    String::from_utf8(plain).unwrap()
}
