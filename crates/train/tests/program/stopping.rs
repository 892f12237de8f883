//! Stopped by a signal: it ends at once, says so, and publishes nothing.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::common::pictures::{EXPERIMENT, png, with_means};
use crate::common::{Noise, Pfs, tree};

/// Starts a training and sends it `signal` once it says `begun`; gives its status
/// and what it said after that.
fn stopped(pfs: &Pfs, args: &[&str], begun: &str, signal: &str) -> (Option<i32>, Vec<String>) {
    let mut child = pfs
        .command()
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let heard = lines.by_ref().any(|line| line.unwrap().contains(begun));
    assert!(heard, "it never said {begun:?}");
    let kill = Command::new("kill")
        .args([&format!("-{signal}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let rest = lines.map(Result::unwrap).collect();
    (child.wait().unwrap().code(), rest)
}

fn assert_stopped(pfs: &Pfs, (status, said): (Option<i32>, Vec<String>)) {
    assert_eq!(status, Some(1), "{said:?}");
    assert_eq!(
        said.last().map(String::as_str),
        Some("error: stopped by a signal; nothing was published")
    );
    assert_eq!(tree(&pfs.out()), BTreeMap::new());
}

#[test]
fn while_pictures_are_embedded() {
    embedding_is_stopped(&["--embedding-engine", "built-in"]);
}

/// Threads of the library compute while the process ends.
#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn while_the_library_embeds_pictures() {
    let library = std::env::var("ORT_DYLIB_PATH").unwrap();
    for _ in 0..5 {
        embedding_is_stopped(&["--onnxruntime", &library]);
    }
}

/// Enough pictures that the signal comes while they are embedded.
fn embedding_is_stopped(engine: &[&str]) {
    let mut pfs = with_means(Pfs::new()).file("experiment.yaml", EXPERIMENT);
    for number in 0..4000_u16 {
        let [high, low] = number.to_be_bytes();
        let (class, colour) = match number % 2 {
            0 => ("red", [200, high, low]),
            _ => ("blue", [high, low, 200]),
        };
        pfs = pfs.file(&format!("data/{class}/{number}.png"), png(colour, 0));
    }
    for signal in ["TERM", "INT"] {
        let end = stopped(
            &pfs,
            &[&["--config", "/pfs/experiment.yaml"], engine].concat(),
            "found 4000 pictures",
            signal,
        );
        assert_stopped(&pfs, end);
    }
}

#[test]
fn while_trees_are_fitted() {
    let mut noise = Noise::new(3);
    let mut csv = "a,b,c,d,y\n".to_owned();
    for _ in 0..20_000 {
        let [a, b, c, d] = [0; 4].map(|_| noise.normal());
        let y = if (a > 0.0) == (b > 0.0) { "p" } else { "q" };
        writeln!(csv, "{a:.3},{b:.3},{c:.3},{d:.3},{y}").unwrap();
    }
    let pfs = Pfs::with_csv(csv);
    let end = stopped(&pfs, &[], "rows to learn from", "TERM");
    assert_stopped(&pfs, end);
}
