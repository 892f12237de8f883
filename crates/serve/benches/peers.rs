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

#[allow(dead_code)]
#[path = "../tests/it/support/frames.rs"]
mod frames;
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
/// How often each server is asked in turn, so that what else the machine does meets all;
/// the middle one of the rounds counts.
const ROUNDS: usize = 3;
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
    let row = |name, server: &Server, request| {
        let address = server.address.clone();
        let rate = move |clients| load::measure(&address, request, clients);
        Row::new(name, server.memory(), rate)
    };
    let own = [
        row("serve, Seldon v1", serve, &seldon),
        row("serve, Open Inference", serve, &oip),
    ];
    let bare = row("bare axum, a constant", &bare, &seldon);
    let wrapper = wrapper.as_ref().map(|it| row(SELDON, it, &seldon));
    let mlserver = mlserver.as_ref().map(|it| row(MLSERVER, it, &oip));
    compare("REST", own, bare, [wrapper, mlserver], OF_PYTHON_REST)
}

fn over_grpc(serve: &Server, [wrapper, mlserver]: &[Option<Server>; 2]) -> bool {
    let (seldon, oip) = (grpc::seldon(), grpc::oip());
    let bare = grpc::bare(grpc::ask(&serve.grpc, &oip));
    let row = |name, memory, address: &str, call| {
        let address = address.to_owned();
        let rate = move |clients| grpc::measure(&address, call, clients);
        Row::new(name, memory, rate)
    };
    let of = |name, server: &Server, call| row(name, server.memory(), &server.grpc, call);
    let own = [
        of("serve, Seldon v1", serve, &seldon),
        of("serve, Open Inference", serve, &oip),
    ];
    let bare = row("bare tonic, a constant", 0, &bare, &oip);
    let wrapper = wrapper.as_ref().map(|it| of(SELDON, it, &seldon));
    let mlserver = mlserver.as_ref().map(|it| of(MLSERVER, it, &oip));
    compare("gRPC", own, bare, [wrapper, mlserver], OF_PYTHON_GRPC)
}

const SELDON: &str = "seldon-core 1.18.2";
const MLSERVER: &str = "mlserver 1.7.1";

/// Asks all and prints what they give; whether the slower of our own protocols reaches
/// what is wanted. The Python servers speak the protocols in the same order.
fn compare<'a>(
    door: &str,
    [mut seldon, mut oip]: [Row<'a>; 2],
    mut bare: Row<'a>,
    mut python: [Option<Row<'a>>; 2],
    wanted: f64,
) -> bool {
    for _ in 0..ROUNDS {
        let own = [&mut seldon, &mut oip, &mut bare].into_iter();
        own.chain(python.iter_mut().flatten()).for_each(Row::ask);
    }
    println!("{door}, answers a second   1 client  8 clients 64 clients  memory before");
    let own = [&seldon, &oip, &bare].into_iter();
    own.chain(python.iter().flatten()).for_each(Row::print);
    let mut reached = true;
    let mut judge = |peer: &str, ratio: f64, wanted: f64| {
        println!("serve to {peer}, 64 clients: {ratio:.2} x (wanted: {wanted})");
        reached &= ratio >= wanted;
    };
    let least = seldon.most().min(oip.most());
    judge("the bare server", least / bare.most(), OF_BARE);
    let [wrapper, mlserver] = python;
    match wrapper.zip(mlserver) {
        Some((wrapper, mlserver)) => {
            let best = wrapper.most().max(mlserver.most());
            judge("the better Python server", least / best, wanted);
            for (own, peer) in [(seldon, wrapper), (oip, mlserver)] {
                let ratio = own.most() / peer.most();
                println!("{} to {}: {ratio:.2} x", own.name, peer.name);
            }
        }
        None => println!("no Python server: `cargo xtask bench serve` installs them"),
    }
    reached
}

/// One server, and the answers a second that it gave to so many clients, in each round.
struct Row<'a> {
    name: &'static str,
    memory: usize,
    rate: Box<dyn Fn(usize) -> f64 + 'a>,
    rounds: [Vec<f64>; CLIENTS.len()],
}

impl<'a> Row<'a> {
    fn new(name: &'static str, memory: usize, rate: impl Fn(usize) -> f64 + 'a) -> Self {
        Self {
            name,
            memory,
            rate: Box::new(rate),
            rounds: Default::default(),
        }
    }

    fn ask(&mut self) {
        for (clients, rounds) in CLIENTS.into_iter().zip(&mut self.rounds) {
            rounds.push((self.rate)(clients));
        }
    }

    /// The middle one of the rounds with the most clients.
    fn most(&self) -> f64 {
        load::median(self.rounds[CLIENTS.len() - 1].clone())
    }

    fn print(&self) {
        let rates = self.rounds.iter().map(|rates| load::median(rates.clone()));
        let rates: String = rates.map(|rate| format!("{rate:>11.0}")).collect();
        let megabytes = self.memory / 1_000_000;
        println!("{:<22}{rates} {megabytes:>9} MB", self.name);
    }
}
