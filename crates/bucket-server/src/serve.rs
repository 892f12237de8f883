//! Requests for objects.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use percent_encoding::percent_decode_str;

use crate::{Answer, Moment, Shared, Then, list};

/// A request, as far as it matters.
#[derive(Default)]
struct Request {
    method: String,
    /// Without percent-encoding.
    path: String,
    query: String,
    authorization: String,
    body: Vec<u8>,
    /// It writes only what is not there.
    creates: bool,
    /// Only Azure's clients send that.
    is_azure: bool,
}

struct Reply {
    status: u16,
    body: Vec<u8>,
}

/// Answers the requests of a connection until it ends.
pub(crate) fn serve(mut connection: TcpStream, shared: &Mutex<Shared>) -> io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    while let Some(request) = read(&mut reader)? {
        let line = format!("{} {}", request.method, request.path);
        let (number, hook) = {
            let mut shared = shared.lock().unwrap();
            shared.authorizations.push(request.authorization.clone());
            shared.requests.push(line.clone());
            (shared.requests.len() - 1, shared.hook.clone())
        };
        let call = |moment| {
            let hook = hook.as_ref();
            hook.map_or(Then::GoOn, |hook| hook(number, &line, moment))
        };
        if call(Moment::Before) == Then::Cut {
            return Ok(());
        }
        let reply = answered(&request, &mut shared.lock().unwrap());
        if call(Moment::After) == Then::Cut {
            return Ok(());
        }
        let head = format!(
            "HTTP/1.1 {} X\r\nContent-Length: {}\r\nETag: \"1\"\r\nx-goog-generation: 1\r\n\
             Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n",
            reply.status,
            reply.body.len()
        );
        let mut answer = head.into_bytes();
        if request.method != "HEAD" {
            answer.extend(reply.body);
        }
        // In one piece: a second one would wait for the client to confirm the first.
        connection.write_all(&answer)?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let (method, address) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: percent_decode_str(path).decode_utf8().unwrap().into_owned(),
        query: query.to_owned(),
        ..Request::default()
    };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.clone_into(&mut request.authorization),
            "content-length" => length = value.parse().unwrap(),
            // AWS and Azure; Google.
            "if-none-match" => request.creates |= value == "*",
            "x-goog-if-generation-match" => request.creates |= value == "0",
            "x-ms-version" => request.is_azure = true,
            _ => {}
        }
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn answered(request: &Request, shared: &mut Shared) -> Reply {
    if request.method == "GET"
        && let Some(body) = list::listed(&request.path, &request.query, &shared.objects)
    {
        return Reply { status: 200, body };
    }
    let found = shared.objects.get(&request.path);
    match (request.method.as_str(), found) {
        ("PUT", Some(Answer::Status(status))) => refusal(*status),
        ("PUT", Some(_)) if request.creates && !shared.ignores_conditions => {
            // Azure, Put Blob: BlobAlreadyExists.
            refusal(if request.is_azure { 409 } else { 412 })
        }
        ("PUT", _) => {
            let content = Answer::Content(request.body.clone());
            shared.objects.insert(request.path.clone(), content);
            let status = if request.is_azure { 201 } else { 200 };
            Reply {
                status,
                body: Vec::new(),
            }
        }
        (_, Some(Answer::Content(bytes))) => Reply {
            status: 200,
            body: bytes.clone(),
        },
        (_, Some(Answer::Status(status))) => refusal(*status),
        (_, None) => refusal(404),
    }
}

fn refusal(status: u16) -> Reply {
    let code = match status {
        404 => "NoSuchKey",
        409 => "BlobAlreadyExists",
        412 => "PreconditionFailed",
        _ => "No",
    };
    Reply {
        status,
        body: format!("<Error><Code>{code}</Code></Error>").into_bytes(),
    }
}
