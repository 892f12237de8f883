//! How long a picture as JSON numbers takes in the forms of both protocols, as ratios to
//! Seldon's flat tensor in the same run.
//!
//! `cargo bench -p serve --bench numbers` prints them, and fails over a limit.

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

use std::process::ExitCode;
use std::time::Duration;

use load::{Request, median};

/// Rows and columns of the picture.
const SIDE: usize = 224;
/// How often each form is sent for a while in turn, so that what else the machine does
/// meets all; the median of the ratios counts.
const ROUNDS: usize = 7;
const SPAN: Duration = Duration::from_secs(1);
/// How many times as long a flat tensor may take in the other protocol.
const LIMIT: f64 = 1.25;

fn main() -> ExitCode {
    // Its graph takes no time.
    let colours = package::colours();
    let server = servers::own(&["--model", colours.folder()]);
    let whole = |index: usize| (index * 37 % 256).to_string();
    let digits = |index: usize| format!("{:?}", (index * 37 % 255) as f64 + 1.0 / 3.0);
    let mut reached = true;
    println!("p50 of a picture of {} numbers, and ratio", SIDE * SIDE * 3);
    for (what, number) in [
        ("whole", &whole as &dyn Fn(usize) -> String),
        ("17 digits", &digits),
    ] {
        reached &= compare(what, number, &server.address);
    }
    match reached {
        true => ExitCode::SUCCESS,
        false => {
            println!("a flat tensor takes more than {LIMIT} times as long");
            ExitCode::FAILURE
        }
    }
}

/// Prints the figures of a picture of such numbers; whether the limit was kept.
fn compare(what: &str, number: &dyn Fn(usize) -> String, address: &str) -> bool {
    let values: Vec<String> = (0..SIDE * SIDE * 3).map(number).collect();
    let flat = format!("[{}]", values.join(","));
    let row = |row: &[String]| {
        let pixels: Vec<String> = row.chunks(3).map(|three| three.join(",")).collect();
        format!("[[{}]]", pixels.join("],["))
    };
    let rows: Vec<String> = values.chunks(SIDE * 3).map(row).collect();
    let nested = format!("[{}]", rows.join(","));
    let shape = format!("[{SIDE},{SIDE},3]");
    let seldon = |data: String| {
        let json = format!(r#"{{"data":{{{data}}}}}"#);
        Request::post("/api/v1.0/predictions", &json)
    };
    let infer = |data: &str| {
        let input =
            format!(r#"{{"name":"picture","shape":{shape},"datatype":"FP32","data":{data}}}"#);
        let json = format!(r#"{{"inputs":[{input}]}}"#);
        Request::post("/v2/models/colours/infer", &json)
    };
    let forms = [
        (
            "Seldon's tensor",
            seldon(format!(r#""tensor":{{"shape":{shape},"values":{flat}}}"#)),
        ),
        ("flat OIP tensor", infer(&flat)),
        ("Seldon's ndarray", seldon(format!(r#""ndarray":{nested}"#))),
        ("nested OIP tensor", infer(&nested)),
    ];
    let round = || {
        let time = |(_, request): &(_, Request)| load::look(address, request, 1, SPAN).p50;
        forms.each_ref().map(|form| time(form).as_secs_f64())
    };
    let rounds: Vec<[f64; 4]> = (0..ROUNDS).map(|_| round()).collect();
    let of = |figure: &dyn Fn(&[f64; 4]) -> f64| median(rounds.iter().map(figure).collect());
    let mut ratios = Vec::new();
    for (index, (form, _)) in forms.iter().enumerate() {
        let ratio = of(&|round| round[index] / round[0]);
        let time = of(&|round| round[index]) * 1e3;
        println!("{what:<12}{form:<20}{time:>8.2} ms   ratio {ratio:.2}");
        ratios.push(ratio);
    }
    ratios[1] <= LIMIT
}
