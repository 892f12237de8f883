//! Git's `http-backend`, a program that speaks CGI (`git help http-backend`).

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::repository::command;

/// A request, as the backend takes it.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
    /// The header `Git-Protocol`.
    pub(crate) protocol: String,
    pub(crate) body: Vec<u8>,
}

/// Status, headers and body of an answer.
pub(crate) type Answer = (u16, Vec<(String, String)>, Vec<u8>);

/// Lets git answer for the repositories below `root`.
pub(crate) fn answer(root: &Path, call: Call) -> Answer {
    let mut child = command(root)
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &call.method)
        .env("PATH_INFO", &call.path)
        .env("QUERY_STRING", &call.query)
        .env("CONTENT_TYPE", &call.content_type)
        .env("CONTENT_LENGTH", call.body.len().to_string())
        .env("GIT_PROTOCOL", &call.protocol)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("git http-backend");
    let mut stdin = child.stdin.take().expect("an input");
    let writer = std::thread::spawn(move || {
        // It may end before it has read all.
        let _ = stdin.write_all(&call.body);
    });
    let output = child.wait_with_output().expect("git http-backend").stdout;
    writer.join().expect("a writer");
    parse(output)
}

fn parse(output: Vec<u8>) -> Answer {
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.expect("headers of CGI");
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let (mut status, mut headers) = (200, Vec::new());
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name == "Status" {
            status = value[..3].parse().expect("a status");
        } else {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    (status, headers, output[end + 4..].to_vec())
}
