//! What options of the server give or cost, as the ratio of its throughput with and
//! without them in the same run.
//!
//! `cargo bench -p serve --bench options`

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[allow(dead_code)]
#[path = "peers/load.rs"]
mod load;
#[path = "../tests/it/support/onnx.rs"]
mod onnx;
#[allow(dead_code)]
#[path = "../tests/it/support/package.rs"]
mod package;
#[allow(dead_code)]
#[path = "peers/servers.rs"]
mod servers;

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use load::Request;
use package::Package;

/// Clients that ask at the same time, each with one connection.
const CLIENTS: usize = 64;
/// How often each server is asked in turn, so that what else the machine does meets
/// both.
const ROUNDS: usize = 3;

fn main() {
    let seldon = |json: &str| Request::post("/api/v1.0/predictions", json);
    println!("answers a second to {CLIENTS} clients, with and without");
    let row = seldon(r#"{"data":{"ndarray":[[1.5]]}}"#);
    let alone = ["--max-batch-size", "1"];
    compare(
        "batching, layers of a table",
        &package::deep(),
        &row,
        &[],
        &alone,
    );
    let picture = seldon(&format!(
        r#"{{"binData":"{}"}}"#,
        STANDARD.encode(picture())
    ));
    let pictures = package::convolutions();
    compare("batching, convolutions", &pictures, &picture, &[], &alone);
}

/// Measures a package served with the flags `with` and with the flags `without`.
fn compare(what: &str, package: &Package, request: &Request, with: &[&str], without: &[&str]) {
    let start = |flags: &[&str]| {
        let model = ["--model", package.folder()];
        servers::own(&[&model, flags].concat())
    };
    let servers = [start(with), start(without)];
    let mut sums = [0.0; 2];
    for _ in 0..ROUNDS {
        for (server, sum) in servers.iter().zip(&mut sums) {
            *sum += load::measure(&server.address, request, CLIENTS);
        }
    }
    let [with, without] = sums.map(|sum| sum / ROUNDS as f64);
    let ratio = with / without;
    println!("{what:<30}{with:>9.0}{without:>9.0}   ratio {ratio:.2}");
}

/// A picture file with as much in it as there can be.
fn picture() -> Vec<u8> {
    let side = package::SIDE;
    let pixel = |x: u32, y: u32| image::Rgb([x, y, x ^ y].map(|v| (v * 37 % 256) as u8));
    let picture = image::RgbImage::from_fn(side, side, pixel);
    let mut file = Cursor::new(Vec::new());
    picture
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    file.into_inner()
}
