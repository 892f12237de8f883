//! The binary tensor extension over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::package;
use crate::support::server::{Server, command};

/// An answer with its bytes.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    /// The JSON of the body, and the bytes behind it.
    fn split(&self) -> (Value, &[u8]) {
        let head = self.head.to_ascii_lowercase();
        let length = head.split("inference-header-content-length: ").nth(1);
        let length = length.map_or(self.body.len(), |rest| {
            rest.lines().next().unwrap().trim().parse().unwrap()
        });
        let (json, tensors) = self.body.split_at(length);
        (serde_json::from_slice(json).unwrap(), tensors)
    }
}

fn post(server: &Server, model: &str, length: usize, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(&server.http).unwrap();
    let head = format!(
        "POST /v2/models/{model}/infer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\
         Inference-Header-Content-Length: {length}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    Answer {
        head: String::from_utf8(bytes[..end].to_vec()).unwrap(),
        body: bytes[end + 4..].to_vec(),
    }
}

fn send(server: &Server, model: &str, request: &Value, tensors: &[u8]) -> Answer {
    let mut body = request.to_string().into_bytes();
    let length = body.len();
    body.extend(tensors);
    post(server, model, length, &body)
}

#[test]
fn bytes_in_and_bytes_out() {
    let server = Server::start(&package::iris());
    let row: Vec<u8> = [5_f32, 3.5, 1.0, 0.5]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let input = json!({"name": "columns", "shape": [1, 4], "datatype": "FP32",
        "parameters": {"binary_data_size": 16}});
    let request = json!({"id": "1", "inputs": [input], "parameters": {"binary_data_output": true},
        "outputs": [{"name": "probabilities"}, {"name": "label", "parameters": {"binary_data": false}}]});
    let answer = send(&server, "iris", &request, &row);
    let (reply, tensors) = answer.split();
    let expected: Vec<u8> = [0.875_f32, 0.0, 0.125]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    assert_eq!(tensors, expected);
    assert_eq!(reply["id"], "1");
    assert_eq!(
        reply["outputs"][0]["parameters"],
        json!({"binary_data_size": 12})
    );
    assert_eq!(reply["outputs"][0].get("data"), None);
    assert_eq!(reply["outputs"][1]["data"], json!(["setosa"]));
    assert!(
        answer.head.contains("application/octet-stream"),
        "{}",
        answer.head
    );
    // All of the body is the only input.
    let (reply, tensors) = (post(&server, "iris", 0, &row).body, "setosa");
    assert!(String::from_utf8(reply).unwrap().contains(tensors));
}

#[test]
fn the_conformance_model_returns_what_it_got() {
    let server = Server::ready(command("/none").arg("--echo"));
    let input = |name: &str, datatype: &str, size: usize| {
        json!({"name": name, "shape": [2], "datatype": datatype,
            "parameters": {"binary_data_size": size}})
    };
    let request = json!({"inputs": [input("a", "BF16", 4), input("b", "BYTES", 10),
        {"name": "c", "shape": [2], "datatype": "FP16", "data": [1, -0.5]}],
        "parameters": {"binary_data_output": true}});
    let tensors = b"\x80\x3f\x00\x40\x01\0\0\0\xff\x01\0\0\0z";
    let answer = send(&server, "echo", &request, tensors);
    let (reply, found) = answer.split();
    assert_eq!(found, [&tensors[..], &[0, 0x3c, 0, 0xb8]].concat());
    assert_eq!(reply["model_version"], "v0");
    assert_eq!(reply["outputs"][0]["datatype"], "BF16");
    let request = json!({"inputs": [
        {"name": "a", "shape": [2], "datatype": "FP32", "data": [0.1, null]},
        {"name": "b", "shape": [1, 2], "datatype": "BYTES", "data": [["x", "y"]]}]});
    let answer = server.post("/v2/models/echo/infer", &request.to_string());
    let reply: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(reply["outputs"][0]["data"], json!([0.1, null]));
    assert_eq!(reply["outputs"][1]["data"], json!(["x", "y"]));
    assert_eq!(reply["outputs"][1]["shape"], json!([1, 2]));
    let index = server.post("/v2/repository/index", "");
    let expected = json!([{"name": "echo", "version": "v0", "state": "READY", "reason": ""}]);
    assert_eq!(
        serde_json::from_str::<Value>(&index.body).unwrap(),
        expected
    );
}

#[test]
fn sizes_that_do_not_fit() {
    let server = Server::ready(command("/none").arg("--echo"));
    let request = |shape: Value, size: Value| {
        json!({"inputs": [{"name": "a", "shape": shape, "datatype": "FP32",
            "parameters": {"binary_data_size": size}}]})
    };
    for (request, tensors, part) in [
        (
            request(json!([2]), json!(8)),
            &[0; 7][..],
            "7 bytes are left",
        ),
        (
            request(json!([2]), json!(4)),
            &[0; 4],
            "4 bytes do not fill its shape",
        ),
        (
            request(json!([1]), json!(4)),
            &[0; 5],
            "1 bytes follow the last tensor",
        ),
        (
            request(json!([1]), json!(-4)),
            &[0; 4],
            "is no number of bytes",
        ),
        (
            request(json!([u64::MAX, 2]), json!(4)),
            &[0; 4],
            "too large",
        ),
    ] {
        let answer = send(&server, "echo", &request, tensors);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(answer.head.starts_with("HTTP/1.1 400"), "{text}");
        assert!(text.contains(part), "{text}");
    }
    let answer = post(&server, "echo", 50, b"{}");
    assert!(answer.head.starts_with("HTTP/1.1 400"), "{}", answer.head);
    let answer = post(&server, "echo", 0, &[0; 4]);
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains("does not have one input"), "{text}");
}
