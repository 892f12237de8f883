//! A minute of twice the load that the server can bear: how long those wait who get an
//! answer, what the others are told, what it costs, and what a drain loses.
//!
//! `cargo bench -p serve --bench overload` prints it, and fails over a limit.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs
)]

#[path = "../tests/it/support/client.rs"]
mod client;
#[path = "../tests/it/support/onnx.rs"]
mod onnx;
#[path = "../tests/it/support/overload.rs"]
mod overload;
#[path = "../tests/it/support/package.rs"]
mod package;
#[path = "../tests/it/support/server.rs"]
mod server;
#[path = "../tests/it/support/wire.rs"]
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use overload::{QUEUE_AGE, Seen, overload};

const SPAN: Duration = Duration::from_secs(60);

/// What an answer takes beside its time in the queue, in seconds.
const WORK: f64 = 0.5;

fn main() -> ExitCode {
    let seen = overload(SPAN);
    let mut times = seen.offered.answered.clone();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    let (p50, p99) = (at(50), at(99));
    report(&seen, p50, p99);
    let [first, second] = seen.halves();
    let limits = [
        ("p99 of the answers", p99 <= QUEUE_AGE + WORK),
        ("requests lost", seen.offered.lost.is_empty()),
        ("memory grows", second <= first + first / 10),
        ("exit status", seen.status == Some(0)),
    ];
    let over: Vec<&str> = limits
        .into_iter()
        .filter(|it| !it.1)
        .map(|it| it.0)
        .collect();
    match over.is_empty() {
        true => ExitCode::SUCCESS,
        false => {
            println!("over the limit: {}", over.join(", "));
            ExitCode::FAILURE
        }
    }
}

fn report(seen: &Seen, p50: f64, p99: f64) {
    let seconds = SPAN.as_secs_f64();
    let (answered, refused) = (seen.offered.answered.len(), seen.offered.refused);
    let [first, second] = seen.halves().map(|bytes| bytes as f64 / 1e6);
    println!("capacity: {:.0} answers a second", seen.capacity);
    println!("twice that for {seconds:.0} s, and while it drains");
    println!("  200: {answered}, after p50 {p50:.3} s, p99 {p99:.3} s");
    println!("       (a request waits at most {QUEUE_AGE} s for its turn)");
    println!("  503: {refused}, all with Retry-After");
    println!(
        "  lost: {} {:?}",
        seen.offered.lost.len(),
        seen.offered.lost.first()
    );
    println!("  memory: {first:.1} MB in the first half, {second:.1} MB in the second");
}
