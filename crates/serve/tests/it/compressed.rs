//! Compressed bodies, in both directions.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use ureq::Agent;

use crate::support::client::Client;
use crate::support::package;
use crate::support::server::Server;

const PREDICT: &str = "/api/v1.0/predictions";
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn packed(name: &str, body: &[u8]) -> Vec<u8> {
    if name == "gzip" {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        return encoder.finish().unwrap();
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_request_may_be_compressed() {
    let server = Server::start(&package::identity());
    let body = br#"{"data":{"ndarray":[[0.5]]}}"#;
    let client = Client::new();
    for name in ["gzip", "deflate"] {
        let headers = [JSON, ("Content-Encoding", name)];
        let send = |body: &[u8]| client.send_bytes("POST", &server.url(PREDICT), &headers, body);
        let reply = send(&packed(name, body));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.body.contains("0.5"), "{}", reply.body);
        let reply = send(body);
        assert_eq!(reply.status, 400, "{}", reply.body);
        assert!(reply.body.contains(&format!("the body is not {name}")));
    }
    let headers = [JSON, ("Content-Encoding", "br")];
    let reply = client.send_bytes("POST", &server.url(PREDICT), &headers, body);
    assert_eq!(reply.status, 415);
    assert!(reply.body.contains("gzip, deflate or uncompressed"));
}

#[test]
fn the_header_of_binary_tensors_counts_uncompressed_bytes() {
    let server = Server::start(&package::identity());
    let json = br#"{"inputs":[{"name":"columns","shape":[1,1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}"#;
    let mut body = json.to_vec();
    body.extend(0.5_f32.to_le_bytes());
    let length = json.len().to_string();
    let headers = [
        ("Content-Type", "application/octet-stream"),
        ("Content-Encoding", "gzip"),
        ("Inference-Header-Content-Length", length.as_str()),
    ];
    let url = server.url("/v2/models/identity/infer");
    let reply = Client::new().send_bytes("POST", &url, &headers, &packed("gzip", &body));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.body.contains("[0.5]"), "{}", reply.body);
}

#[test]
fn a_long_answer_is_compressed_when_asked() {
    let server = Server::start(&package::identity());
    let agent: Agent = Agent::config_builder().accept_encoding("").build().into();
    let rows = |count: usize| {
        let rows: Vec<_> = (0..count).map(|row| format!("[{row}.5]")).collect();
        format!(r#"{{"data":{{"ndarray":[{}]}}}}"#, rows.join(","))
    };
    let ask = |rows: &str, accept: &str| {
        let request = agent.post(server.url(PREDICT));
        let request = request.header("Accept-Encoding", accept);
        let mut answer = request.header(JSON.0, JSON.1).send(rows).unwrap();
        let header = answer.headers().get("content-encoding");
        let encoding = header.map(|value| value.to_str().unwrap().to_owned());
        let bytes = answer.body_mut().read_to_vec().unwrap();
        (encoding.unwrap_or_default(), bytes)
    };
    let long = rows(1000);
    let (encoding, plain) = ask(&long, "identity");
    assert_eq!(encoding, "");
    for name in ["gzip", "deflate"] {
        let (encoding, bytes) = ask(&long, name);
        assert_eq!(encoding, name);
        assert!(bytes.len() < plain.len() / 2);
        let mut unpacked = Vec::new();
        match name {
            "gzip" => GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked),
            _ => ZlibDecoder::new(&bytes[..]).read_to_end(&mut unpacked),
        }
        .unwrap();
        assert_eq!(unpacked, plain);
    }
    assert_eq!(ask(&rows(1), "gzip").0, "", "nothing to gain");
}
