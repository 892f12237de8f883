//! Pictures and texts through both protocols.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::package;
use crate::support::server::Server;

/// A picture of 20,000 x 20,000 pixels in a few kilobytes.
const BOMB: &[u8] = include_bytes!("../../../model/tests/pictures/bomb.png");

fn png(colour: [u8; 3]) -> String {
    let picture = RgbImage::from_pixel(4, 3, image::Rgb(colour));
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    STANDARD.encode(file.into_inner())
}

fn seldon(server: &Server, message: &Value) -> Reply {
    server.post("/api/v1.0/predictions", &message.to_string())
}

fn infer(server: &Server, model: &str, shape: &Value, datatype: &str, data: &Value) -> Reply {
    let input = json!({"name": "any", "shape": shape, "datatype": datatype, "data": data});
    let path = format!("/v2/models/{model}/infer");
    server.post(&path, &json!({"inputs": [input]}).to_string())
}

fn body(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    serde_json::from_str(&reply.body).unwrap()
}

#[test]
fn pictures_in_every_form() {
    let server = Server::start(&package::colours());
    let file = png([128, 64, 0]);
    let row = json!([0.5, 0.25, 0.0]);
    for (message, form) in [
        (json!({"binData": file}), "tensor"),
        (
            json!({"data": {"tensor": {"shape": [1, 2, 3], "values": [128, 64, 0, 128, 64, 0]}}}),
            "tensor",
        ),
        (json!({"data": {"ndarray": [[[128, 64.0, 0]]]}}), "ndarray"),
        (json!({"data": {"ndarray": [file]}}), "ndarray"),
    ] {
        let reply = body(&seldon(&server, &message));
        let expected = match form {
            "tensor" => json!({"shape": [1, 3], "values": row}),
            _ => json!([row]),
        };
        assert_eq!(reply["data"][form], expected, "{message}");
        assert_eq!(reply["data"]["names"], json!(["red", "green", "blue"]));
    }
    for (shape, datatype, data) in [
        (json!([1]), "BYTES", json!([file])),
        (json!([1, 1, 3]), "UINT8", json!([128, 64, 0])),
        (json!([1, 1, 1, 3]), "FP32", json!([128.0, 64, 0])),
    ] {
        let reply = body(&infer(&server, "colours", &shape, datatype, &data));
        assert_eq!(reply["outputs"][0]["data"], row, "{datatype}");
        assert_eq!(reply["outputs"][1]["data"], json!(["red"]));
    }
    let two = json!([file, png([0, 0, 192])]);
    let reply = body(&infer(&server, "colours", &json!([2]), "BYTES", &two));
    assert_eq!(reply["outputs"][0]["shape"], json!([2, 3]));
    assert_eq!(reply["outputs"][1]["data"], json!(["red", "blue"]));
    let metadata = body(&server.get("/v2/models/colours"));
    assert_eq!(metadata["inputs"][0]["datatype"], "BYTES");
}

#[test]
fn what_is_no_picture_is_refused() {
    let server = Server::start(&package::colours());
    let text = |text: &str| STANDARD.encode(text);
    for (message, part) in [
        (json!({"binData": "?"}), "binData is not base64"),
        (json!({"binData": ""}), "picture 1: the picture is empty"),
        (json!({"binData": text("hello")}), "no JPEG, PNG or WebP"),
        (json!({"binData": STANDARD.encode(BOMB)}), "more than the"),
        (
            json!({"binData": STANDARD.encode(&STANDARD.decode(png([1, 2, 3])).unwrap()[..50])}),
            "PNG picture is damaged",
        ),
        (
            json!({"data": {"tensor": {"shape": [1, 1, 3], "values": [1, 2]}}}),
            "2 values, which do not fill",
        ),
        (
            json!({"data": {"tensor": {"shape": [100_000, 100_000, 3], "values": []}}}),
            "do not fill",
        ),
        (
            json!({"data": {"ndarray": [[1, 2, 3]]}}),
            "expected [height, width, 3]",
        ),
        (json!({"strData": "hello"}), "takes pictures, send the file"),
    ] {
        let reply = seldon(&server, &message);
        assert_eq!(reply.status, 400, "{message}: {}", reply.body);
        assert!(reply.body.contains(part), "{message}: {}", reply.body);
    }
    let bomb = json!([STANDARD.encode(BOMB)]);
    let reply = infer(&server, "colours", &json!([1]), "BYTES", &bomb);
    assert_eq!(reply.status, 400, "{}", reply.body);
}

#[test]
fn texts_in_every_form() {
    let server = Server::start(&package::words());
    let rose = "rose rose fell";
    for (message, form, expected) in [
        (
            json!({"strData": rose}),
            "tensor",
            json!({"shape": [1, 2], "values": [1.0, 2.0]}),
        ),
        (
            json!({"jsonData": [rose]}),
            "tensor",
            json!({"shape": [1, 2], "values": [1.0, 2.0]}),
        ),
        (
            json!({"data": {"ndarray": [rose, "fell", ""]}}),
            "ndarray",
            json!([[1.0, 2.0], [1.0, 0.0], [0.0, 0.0]]),
        ),
    ] {
        let reply = body(&seldon(&server, &message));
        assert_eq!(reply["data"][form], expected, "{message}");
    }
    let texts: Vec<&str> = (0..70)
        .map(|i| if i == 69 { rose } else { "fell" })
        .collect();
    let reply = infer(&server, "words", &json!([70]), "BYTES", &json!(texts));
    let reply = body(&reply);
    assert_eq!(reply["outputs"][0]["shape"], json!([70, 2]));
    assert_eq!(reply["outputs"][1]["data"][0], "down");
    assert_eq!(reply["outputs"][1]["data"][69], "up");
    for message in [
        json!({"data": {"ndarray": [[1, 2]]}}),
        json!({"binData": "AAAA"}),
        json!({"data": {"ndarray": []}}),
        json!({"jsonData": {"a": 1}}),
    ] {
        let reply = seldon(&server, &message);
        assert_eq!(reply.status, 400, "{message}: {}", reply.body);
    }
}
