//! What the three clouds answer to `GET` of an object: a status, its length, an
//! entity tag and a time (AWS, GetObject; Google, XML API; Azure, Get Blob).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
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
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    while let Some(request) = lines.next() {
        let request = request?;
        let mut authorization = String::new();
        for header in lines.by_ref() {
            let header = header?;
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(": ")
                && name.eq_ignore_ascii_case("authorization")
            {
                authorization = value.to_owned();
            }
        }
        let address = request.split(' ').nth(1).unwrap();
        let path = decoded(address.split('?').next().unwrap());
        let mut shared = shared.lock().unwrap();
        shared.authorizations.push(authorization);
        let (status, body) = match shared.objects.get(&path) {
            Some(Answer::Content(bytes)) => (200, bytes.clone()),
            Some(Answer::Status(status)) => (*status, b"<Error><Code>No</Code></Error>".to_vec()),
            None => (404, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        };
        write!(
            connection,
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nETag: \"1\"\r\n\
             Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n",
            body.len()
        )?;
        connection.write_all(&body)?;
    }
    Ok(())
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
