//! A client that costs as little as can be: one prepared request, sent again and
//! again on a connection that is kept as long as the server keeps it.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;

/// A request as it goes over the wire.
pub(crate) struct Request(Vec<u8>);

impl Request {
    pub(crate) fn post(path: &str, json: &str) -> Self {
        let length = json.len();
        let head = "Host: localhost\r\nContent-Type: application/json";
        let text =
            format!("POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{json}");
        Self(text.into_bytes())
    }
}

/// A connection with its last answer.
pub(crate) struct Connection {
    pub(crate) stream: BufReader<TcpStream>,
    pub(crate) body: Vec<u8>,
    /// The server has said that it closes the connection.
    pub(crate) closed: bool,
    /// The server has said when to come again.
    pub(crate) retry_after: bool,
    line: String,
}

impl Connection {
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            body: Vec::new(),
            closed: false,
            retry_after: false,
            line: String::new(),
        })
    }

    /// Sends the request and reads the answer; gives its status.
    pub(crate) fn ask(&mut self, request: &Request) -> io::Result<u16> {
        self.send(request)?;
        self.receive()
    }

    /// Sends the request.
    pub(crate) fn send(&mut self, request: &Request) -> io::Result<()> {
        self.stream.get_mut().write_all(&request.0)
    }

    /// Reads an answer; gives its status.
    pub(crate) fn receive(&mut self) -> io::Result<u16> {
        let wrong = |line: &str| io::Error::new(ErrorKind::InvalidData, line.to_owned());
        let (mut status, mut length) = (None, 0);
        self.retry_after = false;
        loop {
            self.line.clear();
            if self.stream.read_line(&mut self.line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let line = self.line.trim_end();
            if status.is_none() {
                let code = line.split(' ').nth(1).and_then(|code| code.parse().ok());
                status = Some(code.ok_or_else(|| wrong(line))?);
            }
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| wrong(line))?;
            } else if name.eq_ignore_ascii_case("connection") {
                self.closed = value.trim().eq_ignore_ascii_case("close");
            }
            self.retry_after |= name.eq_ignore_ascii_case("retry-after");
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        status.ok_or_else(|| wrong("no status"))
    }
}
