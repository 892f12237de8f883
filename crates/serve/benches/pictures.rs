//! Pictures a second and their p50 beside the Python servers, with the same graph on the
//! same ONNX Runtime and as many threads, in the same run; and those of the built-in
//! engine.
//!
//! `cargo xtask bench serve --pictures DIR` trains the model, installs the servers and
//! starts this.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[allow(dead_code)]
#[path = "peers/load.rs"]
mod load;
#[path = "peers/requests.rs"]
mod requests;
#[allow(dead_code)]
#[path = "peers/servers.rs"]
mod servers;

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use load::{Request, Seen, median};
use requests::Form;
use serde_json::Value;
use servers::Server;

/// Clients that ask at the same time: p50 is that of one, throughput that of some.
const CLIENTS: [usize; 2] = [1, 8];
/// How often each server is asked in turn, so that what else the machine does meets all;
/// the median of the ratios counts.
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(3);
/// How many times as good as the better Python server is wanted.
const OF_FILES: f64 = 1.2;
const OF_NUMBERS: f64 = 2.0;
/// How far the same picture may be apart: each decodes and resizes in its own way.
const APART: f64 = 0.05;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let (Ok(package), Ok(pictures)) = (env::var("PACKAGE"), env::var("PICTURES")) else {
        println!("`cargo xtask bench serve --pictures DIR` trains a model and starts this");
        return ExitCode::SUCCESS;
    };
    let picture = requests::largest(Path::new(&pictures));
    let library = env::var("ORT_DYLIB_PATH").unwrap();
    let own =
        |engine: &[&str]| servers::own(&[&["--model", &package, "--engine"], engine].concat());
    let servers = [
        own(&["onnxruntime", "--onnxruntime", &library]),
        own(&["built-in"]),
        wrapper(&package),
        mlserver(&package),
    ];
    let mut reached = true;
    for form in requests::forms(&picture) {
        reached &= compare(&form, &servers);
    }
    if reached {
        return ExitCode::SUCCESS;
    }
    println!("not all that is wanted was reached");
    ExitCode::FAILURE
}

/// One process a core, each of which computes on one thread.
fn wrapper(package: &str) -> Server {
    let source = include_str!("peers/wrapped.py");
    let environment = [
        ("PYTHONPATH", MODULES),
        ("PACKAGE", package),
        ("THREADS", "1"),
    ];
    servers::wrapped("Classifier", source, &environment).unwrap()
}

/// One process that computes on all cores.
fn mlserver(package: &str) -> Server {
    let source = include_str!("peers/served.py");
    let threads = available_parallelism().unwrap().to_string();
    let environment = [
        ("PYTHONPATH", MODULES),
        ("PACKAGE", package),
        ("THREADS", &threads),
    ];
    servers::served("pictures", "Classifier", source, &environment).unwrap()
}

/// Where the Python module of both is.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// Prints a form's figures; whether what is wanted was reached.
fn compare(form: &Form, [serve, built_in, wrapper, mlserver]: &[Server; 4]) -> bool {
    let asked = [
        ("serve, Seldon v1", serve, &form.seldon),
        ("serve, Open Inference", serve, &form.oip),
        ("seldon-core 1.18.2", wrapper, &form.seldon),
        ("mlserver 1.7.1", mlserver, &form.oip),
        ("serve, built-in engine", built_in, &form.seldon),
    ];
    let answers = asked.map(|(_, server, request)| classes(server, request));
    for classes in &answers {
        let pairs = classes.iter().zip(&answers[0]);
        let apart = pairs
            .map(|(one, other)| (one - other).abs())
            .fold(0.0, f64::max);
        assert!(
            classes.len() == answers[0].len() && apart <= APART,
            "{answers:?}"
        );
    }
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    let mut seen = Vec::new();
    for _ in 0..ROUNDS {
        let round = asked.map(|(_, server, request)| {
            CLIENTS.map(|clients| load::look(&server.address, request, clients, SPAN))
        });
        // The slower of our own protocols, and the better of the Python servers.
        let [own, other, wrapper, mlserver, _] = round.map(|[_, some]| some.rate);
        rates.push(own.min(other) / wrapper.max(mlserver));
        let [own, other, wrapper, mlserver, _] = round.map(|[one, _]| one.p50.as_secs_f64());
        times.push(wrapper.min(mlserver) / own.max(other));
        seen.push(round);
    }
    println!(
        "{} of {} bytes      answers a second   p50",
        form.name, form.bytes
    );
    for (index, (name, ..)) in asked.iter().enumerate() {
        print(name, seen.iter().map(|round| round[index]).collect());
    }
    let wanted = if form.name == "JPEG" {
        OF_FILES
    } else {
        OF_NUMBERS
    };
    let [rate, time] = [rates, times].map(median);
    println!(
        "serve to the better Python server: throughput {rate:.2} x, p50 {time:.2} x (wanted: {wanted})"
    );
    rate >= wanted && time >= wanted
}

/// The medians of a server's rounds.
fn print(name: &str, rounds: Vec<[Seen; 2]>) {
    let rate = median(rounds.iter().map(|[_, some]| some.rate).collect());
    let p50 = median(
        rounds
            .iter()
            .map(|[one, _]| one.p50.as_secs_f64())
            .collect(),
    );
    println!("{name:<30}{rate:>9.1} {:>13.1} ms", p50 * 1e3);
}

/// The probabilities that a server gives, once its model is there.
fn classes(server: &Server, request: &Request) -> Vec<f64> {
    let begin = Instant::now();
    let answer = loop {
        match load::attempt(&server.address, request) {
            Ok(answer) => break answer,
            Err(why) => assert!(begin.elapsed() < PATIENCE, "{why}"),
        }
        sleep(Duration::from_millis(200));
    };
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let places = ["/data/tensor/values", "/data/ndarray/0", "/outputs/0/data"];
    let found = places
        .iter()
        .find_map(|place| answer.pointer(place)?.as_array());
    let found = found.unwrap_or_else(|| panic!("{answer}"));
    found.iter().map(|value| value.as_f64().unwrap()).collect()
}
