//! A master that fails, and a program that is killed.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use determined_mock::{ArchiveFault, Fault, Outcome, Stall};

use super::support::Case;
use crate::common::{Noise, texts, tree};

#[test]
fn faults_make_no_second_experiment() {
    let cases: [(&str, &str, Fault, usize); 9] = [
        ("POST", "/api/v1/experiments", Fault::CutAfter, 1),
        ("POST", "/api/v1/experiments", Fault::StatusAfter(502), 1),
        ("POST", "/api/v1/experiments", Fault::CutBefore, 1),
        ("POST", "/api/v1/models/iris/versions", Fault::CutAfter, 1),
        ("POST", "/api/v1/models", Fault::StatusAfter(504), 1),
        ("GET", "/api/v1/experiments/", Fault::Status(503), 2),
        ("GET", "/api/v1/experiments/", Fault::ExpireTokens, 1),
        ("GET", "/checkpoints/", Fault::CutBefore, 1),
        (
            "GET",
            "/api/v1/models",
            Fault::Slow(Duration::from_millis(200)),
            3,
        ),
    ];
    for (method, path, fault, times) in cases {
        let case = Case::new();
        case.master.fault(method, path, fault, times);
        let output = case.output(&[]);
        let err = texts(&output).1;
        assert_eq!(output.status.code(), Some(0), "{fault:?} at {path}: {err}");
        case.published();
        assert_eq!(case.counts(), (1, 1), "{fault:?} at {path}: {err}");
    }
    let case = Case::new();
    case.master.world().script.activation_fails = true;
    case.succeeds(&[]);
    case.master.world().log_cuts = vec![1];
    assert_eq!(case.counts(), (1, 1));
}

#[test]
fn hostile_archives_leave_nothing() {
    for fault in [
        ArchiveFault::Omit("model.onnx".to_owned()),
        ArchiveFault::Add("../x".to_owned()),
        ArchiveFault::EndAt(700),
    ] {
        let case = Case::new();
        case.master.world().archive_fault = Some(fault);
        case.refused(&[]);
    }
}

fn spawn(case: &Case, args: &[&str]) -> Child {
    let mut command = case.command();
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits until the master stalls, unless the program ends before.
fn stalled(case: &Case, child: &mut Child) -> bool {
    let start = Instant::now();
    while !case.master.world().stalled {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "neither");
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

#[test]
fn killed_anywhere_and_tried_again() {
    let whole = Case::new();
    whole.succeeds(&[]);
    let requests = whole.master.requests().len();
    let mut noise = Noise::new(7);
    println!(
        "{:>7} {:<6} {:<45} experiments versions packages",
        "request", "effect", "at"
    );
    for point in 0..20 {
        let at = (f64::from(point) + noise.uniform()) / 20.0 * requests as f64;
        let after_effect = noise.uniform() < 0.5;
        let mut case = Case::new();
        let request = at as usize;
        case.master.world().stall = Some(Stall {
            request,
            after_effect,
        });
        let mut child = spawn(&case, &[]);
        let reached = stalled(&case, &mut child);
        // SIGKILL, as Pachyderm sends it.
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        case.look_for_secrets(&output);
        let place = case.master.requests().into_iter().nth(request);
        let place = place.map_or_else(
            || "the end".to_owned(),
            |r| format!("{} {}", r.method, r.path),
        );
        case.master.world().stall = None;
        case.master.world().stalled = false;
        case.again();
        case.succeeds(&[]);
        let (experiments, versions) = case.counts();
        let effect = if after_effect { "after" } else { "before" };
        println!(
            "{request:>7} {effect:<6} {place:<45} {experiments:>11} {versions:>8} {:>8}",
            1
        );
        assert!(
            reached || request + 3 >= requests,
            "request {request} of {requests} never came"
        );
        assert_eq!((experiments, versions), (1, 1), "killed {effect} {place}");
    }
}

pub(crate) fn terminate(child: &Child) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn sigterm_leaves_or_cancels_the_experiment() {
    for (args, words, state) in [
        (
            &["--on-sigterm", "leave"],
            "the experiment goes on",
            "RUNNING",
        ),
        (
            &["--on-sigterm", "cancel"],
            "the experiment is cancelled",
            "STOPPING_CANCELED",
        ),
    ] {
        let case = Case::new();
        case.master.world().script.outcome = Outcome::Endless;
        let child = spawn(&case, args);
        let start = Instant::now();
        while case
            .master
            .world()
            .experiments
            .get(&1)
            .is_none_or(|e| e.state != "RUNNING")
        {
            assert!(start.elapsed() < Duration::from_secs(60), "it never runs");
            std::thread::sleep(Duration::from_millis(5));
        }
        terminate(&child);
        let output = child.wait_with_output().unwrap();
        case.look_for_secrets(&output);
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains(words), "{err}");
        assert_eq!(case.master.world().experiments[&1].state, state);
        assert_eq!(tree(&case.pfs.out()), BTreeMap::new());
    }
}
