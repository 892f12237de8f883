//! What options of the server give or cost, as the ratio of its throughput with and
//! without them in the same run.
//!
//! `cargo bench -p serve --bench options`; with the library of ONNX Runtime in
//! `ORT_DYLIB_PATH` also the engines for a row.

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
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use load::{Request, median};
use package::Package;

/// Clients that ask at the same time, each with one connection.
const CLIENTS: usize = 64;
/// How often each server is asked in turn, so that what else the machine does meets
/// both; the median of the ratios counts.
const ROUNDS: usize = 15;
/// The share of the throughput that is to be left with monitoring.
const MONITORED: f64 = 0.97;

fn main() -> ExitCode {
    let seldon = |json: &str| Request::post("/api/v1.0/predictions", json);
    println!("answers a second to {CLIENTS} clients, with and without");
    let row = seldon(r#"{"data":{"ndarray":[[1.5]]}}"#);
    let alone = ["--max-batch-size", "1"];
    let deep = package::deep();
    compare("batching, layers of a table", &deep, &row, &[], &alone);
    let picture = seldon(&format!(
        r#"{{"binData":"{}"}}"#,
        STANDARD.encode(picture())
    ));
    let pictures = package::convolutions();
    compare("batching, convolutions", &pictures, &picture, &[], &alone);
    let flower = seldon(r#"{"data":{"ndarray":[[5.1,3.5,1.4,0.2]]}}"#);
    if let Ok(library) = std::env::var("ORT_DYLIB_PATH") {
        let on = ["--engine", "onnxruntime", "--onnxruntime", &library];
        let built_in = ["--engine", "built-in"];
        compare(
            "ONNX Runtime, a row",
            &package::iris(),
            &flower,
            &on,
            &built_in,
        );
    }
    let unwatched = ["--detect-batch-size", "0"];
    let watched = package::watched();
    let left = compare("monitoring, a row", &watched, &flower, &[], &unwatched);
    if left < MONITORED {
        println!("monitoring leaves less than {MONITORED} of the throughput");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The ratio of what a package gives served with the flags `with` to what it gives with
/// the flags `without`.
fn compare(
    what: &str,
    package: &Package,
    request: &Request,
    with: &[&str],
    without: &[&str],
) -> f64 {
    let start = |flags: &[&str]| {
        let model = ["--model", package.folder()];
        servers::own(&[&model, flags].concat())
    };
    let servers = [start(with), start(without)];
    let mut rounds: Vec<[f64; 2]> = Vec::new();
    for round in 0..ROUNDS {
        let mut rates = [0.0; 2];
        // Who comes first changes, as a machine may get slower all the time.
        for place in [round % 2, 1 - round % 2] {
            rates[place] = load::measure(&servers[place].address, request, CLIENTS);
        }
        rounds.push(rates);
    }
    let of = |figure: fn(&[f64; 2]) -> f64| median(rounds.iter().map(figure).collect());
    let (with, without) = (of(|round| round[0]), of(|round| round[1]));
    let ratio = of(|round| round[0] / round[1]);
    println!("{what:<30}{with:>9.0}{without:>9.0}   ratio {ratio:.3}");
    ratio
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
