//! Small requests a second beside those of other servers, in the same run.
//!
//! `cargo xtask bench serve` installs the Python servers and starts this. Without
//! them (`SELDON_BIN`, `MLSERVER_BIN`) the peer is the least that a server in Rust
//! can do: axum or tonic with a constant answer of the same size.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "peers/grpc.rs"]
mod grpc;
#[allow(dead_code)]
#[path = "peers/load.rs"]
mod load;
#[path = "../tests/it/support/proto.rs"]
mod proto;
#[path = "peers/servers.rs"]
mod servers;

use std::process::ExitCode;

use load::Request;
use servers::Server;

/// Clients that ask at the same time, each with one connection.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// The share of the bare server's throughput that is wanted at the most clients.
const OF_BARE: f64 = 0.8;
/// How many times the throughput of the better Python server is wanted there.
const OF_PYTHON_REST: f64 = 30.0;
const OF_PYTHON_GRPC: f64 = 20.0;

fn main() -> ExitCode {
    let serve = servers::serve();
    let python = [servers::wrapper(), servers::mlserver()];
    let rest = over_rest(&serve, &python);
    let grpc = over_grpc(&serve, &python);
    match rest && grpc {
        true => ExitCode::SUCCESS,
        false => {
            println!("not all that is wanted was reached");
            ExitCode::FAILURE
        }
    }
}

fn over_rest(serve: &Server, [wrapper, mlserver]: &[Option<Server>; 2]) -> bool {
    let seldon = Request::post(
        "/api/v1.0/predictions",
        r#"{"data":{"names":["a","b","c","d"],"ndarray":[[5.1,3.5,1.4,0.2]]}}"#,
    );
    let oip = Request::post(
        "/v2/models/echo/infer",
        r#"{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}]}"#,
    );
    let bare = servers::bare(&load::ask(&serve.address, &seldon));
    let row = |name, server: &Server, request: &Request| {
        let rate = |clients| load::measure(&server.address, request, clients);
        Row::of(name, server.memory(), rate)
    };
    let own = [
        row("serve, Seldon v1", serve, &seldon),
        row("serve, Open Inference", serve, &oip),
    ];
    let bare = row("bare axum, a constant", &bare, &seldon);
    let wrapper = wrapper.iter().map(|it| row(SELDON, it, &seldon));
    let python = wrapper.chain(mlserver.iter().map(|it| row(MLSERVER, it, &oip)));
    compare("REST", own, bare, python.collect(), OF_PYTHON_REST)
}

fn over_grpc(serve: &Server, [wrapper, mlserver]: &[Option<Server>; 2]) -> bool {
    let (seldon, oip) = (grpc::seldon(), grpc::oip());
    let bare = grpc::bare(grpc::ask(&serve.grpc, oip.clone()));
    let row = |name, server: &Server, call: &grpc::Call| {
        let rate = |clients| grpc::measure(&server.grpc, call, clients);
        Row::of(name, server.memory(), rate)
    };
    let own = [
        row("serve, Seldon v1", serve, &seldon),
        row("serve, Open Inference", serve, &oip),
    ];
    let bare = Row::of("bare tonic, a constant", 0, |clients| {
        grpc::measure(&bare, &oip, clients)
    });
    let wrapper = wrapper.iter().map(|it| row(SELDON, it, &seldon));
    let python = wrapper.chain(mlserver.iter().map(|it| row(MLSERVER, it, &oip)));
    compare("gRPC", own, bare, python.collect(), OF_PYTHON_GRPC)
}

const SELDON: &str = "seldon-core 1.18.2";
const MLSERVER: &str = "mlserver 1.7.1";

/// Prints all; whether the slower of our own protocols reaches what is wanted.
fn compare(door: &str, own: [Row; 2], bare: Row, python: Vec<Row>, wanted: f64) -> bool {
    println!("{door}, answers a second   1 client  8 clients 64 clients  memory before");
    for row in own.iter().chain([&bare]).chain(&python) {
        row.print();
    }
    let least = own.iter().map(Row::most).fold(f64::INFINITY, f64::min);
    let mut reached = true;
    let mut judge = |peer: &str, ratio: f64, wanted: f64| {
        println!("serve to {peer}, 64 clients: {ratio:.2} x (wanted: {wanted})");
        reached &= ratio >= wanted;
    };
    judge("the bare server", least / bare.most(), OF_BARE);
    match python.iter().map(Row::most).reduce(f64::max) {
        Some(best) => judge("the better Python server", least / best, wanted),
        None => println!("no Python server: `cargo xtask bench serve` installs them"),
    }
    reached
}

/// Answers a second of one server.
struct Row {
    name: &'static str,
    rates: Vec<f64>,
    memory: usize,
}

impl Row {
    fn of(name: &'static str, memory: usize, rate: impl Fn(usize) -> f64) -> Self {
        Self {
            name,
            rates: CLIENTS.into_iter().map(rate).collect(),
            memory,
        }
    }

    fn most(&self) -> f64 {
        self.rates[CLIENTS.len() - 1]
    }

    fn print(&self) {
        let rates = self.rates.iter().map(|rate| format!("{rate:>11.0}"));
        let (rates, megabytes) = (rates.collect::<String>(), self.memory / 1_000_000);
        println!("{:<22}{rates} {megabytes:>9} MB", self.name);
    }
}
