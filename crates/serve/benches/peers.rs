//! Small requests a second beside those of other servers, in the same run.
//!
//! `cargo xtask bench serve` installs the Python servers and starts this. Without
//! them (`SELDON_BIN`, `MLSERVER_BIN`) the peer is the least that a server in Rust
//! can do: axum with a constant answer of the same size.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "peers/load.rs"]
mod load;
#[path = "peers/servers.rs"]
mod servers;

use std::process::ExitCode;

use load::{Request, measure};
use servers::Server;

/// Clients that ask at the same time, each with one connection.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// The share of the bare server's throughput that is wanted at the most clients.
const OF_BARE: f64 = 0.8;
/// How many times the throughput of the better Python server is wanted there.
const OF_PYTHON: f64 = 30.0;

fn main() -> ExitCode {
    let seldon = Request::post(
        "/api/v1.0/predictions",
        r#"{"data":{"names":["a","b","c","d"],"ndarray":[[5.1,3.5,1.4,0.2]]}}"#,
    );
    let oip = Request::post(
        "/v2/models/echo/infer",
        r#"{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}]}"#,
    );
    let serve = servers::serve();
    let answer = load::ask(&serve.address, &seldon);
    let bare = servers::bare(&answer);
    let mut rows = vec![
        Row::of("serve, Seldon v1", &serve, &seldon),
        Row::of("serve, Open Inference", &serve, &oip),
        Row::of("bare axum, a constant", &bare, &seldon),
    ];
    let mut python = Vec::new();
    if let Some(wrapper) = servers::wrapper() {
        python.push(Row::of("seldon-core 1.18.2", &wrapper, &seldon));
    }
    if let Some(mlserver) = servers::mlserver() {
        python.push(Row::of("mlserver 1.7.1", &mlserver, &oip));
    }
    let best = python.iter().map(Row::most).reduce(f64::max);
    let (own, bare) = (rows[0].most(), rows[2].most());
    rows.extend(python);
    print(&rows);
    let mut reached = true;
    let mut judge = |peer: &str, ratio: f64, wanted: f64| {
        println!("serve to {peer}, 64 clients: {ratio:.2} x (wanted: {wanted})");
        reached &= ratio >= wanted;
    };
    judge("bare axum", own / bare, OF_BARE);
    match best {
        Some(best) => judge("the better Python server", own / best, OF_PYTHON),
        None => println!("no Python server: `cargo xtask bench serve` installs them"),
    }
    match reached {
        true => ExitCode::SUCCESS,
        false => {
            println!("not all that is wanted was reached");
            ExitCode::FAILURE
        }
    }
}

/// Requests a second of one server.
struct Row {
    name: &'static str,
    rates: Vec<f64>,
    memory: usize,
}

impl Row {
    fn of(name: &'static str, server: &Server, request: &Request) -> Self {
        let memory = server.memory();
        let rate = |&clients: &usize| measure(&server.address, request, clients);
        Self {
            name,
            rates: CLIENTS.iter().map(rate).collect(),
            memory,
        }
    }

    fn most(&self) -> f64 {
        self.rates[CLIENTS.len() - 1]
    }
}

fn print(rows: &[Row]) {
    println!("requests a second        1 client  8 clients 64 clients  idle memory");
    for row in rows {
        let rates: String = row
            .rates
            .iter()
            .map(|rate| format!("{rate:>11.0}"))
            .collect();
        let megabytes = row.memory / 1_000_000;
        println!("{:<22}{rates} {megabytes:>9} MB", row.name);
    }
}
