//! Training in this process, which the master records.

use std::time::{Duration, Instant};

use determined_mock::{Fault, Stall};
use serde_json::json;

use super::faults::terminate;
use super::own::{Own, local_package};
use crate::common::{Noise, VERSION, texts, tree};

#[test]
fn the_master_records_what_is_trained_here() {
    let mut own = Own::new();
    let output = own.command(&["--detached"]).output().unwrap();
    own.published(&output);
    assert_eq!(own.counts(), (1, 1, 1));
    assert_eq!(tree(&own.pfs.out().join("model")), local_package());
    {
        let world = own.master.world();
        let experiment = &world.experiments[&1];
        let id = format!("iris-model-{VERSION}");
        assert_eq!(experiment.external_id.as_ref(), Some(&id));
        assert_eq!(experiment.state, "COMPLETED");
        let labels = json!(["iris-data", VERSION, "iris-model"]);
        assert_eq!(experiment.config["labels"], labels);
    }
    assert_eq!(own.reports("/trials/10/metrics").len(), 2);
    // What is complete is not trained again.
    own.again();
    own.master.world().models.clear();
    let output = own.command(&["--detached"]).output().unwrap();
    own.published(&output);
    let (_, err) = texts(&output);
    assert!(
        err.contains("experiment 1 of this job is completed"),
        "{err}"
    );
    assert_eq!(own.counts(), (1, 1, 1));
}

#[test]
fn killed_anywhere_and_tried_again() {
    let whole = Own::new();
    whole.published(&whole.command(&["--detached"]).output().unwrap());
    let requests = whole.master.requests().len();
    let mut noise = Noise::new(11);
    println!("request effect at: experiments versions checkpoints");
    for point in 0..20 {
        let at = (f64::from(point) + noise.uniform()) / 20.0 * requests as f64;
        let (request, after_effect) = (at as usize, noise.uniform() < 0.5);
        let mut own = Own::new();
        own.master.world().stall = Some(Stall {
            request,
            after_effect,
        });
        let mut child = own.command(&["--detached"]).spawn().unwrap();
        let start = Instant::now();
        while !own.master.world().stalled && child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(60), "neither");
            std::thread::sleep(Duration::from_millis(2));
        }
        let reached = own.master.world().stalled;
        let _ = child.kill();
        own.look_for_secrets(&child.wait_with_output().unwrap());
        let place = own.master.requests().into_iter().nth(request);
        let place = place.map_or("the end".to_owned(), |r| format!("{} {}", r.method, r.path));
        own.master.world().stall = None;
        own.master.world().stalled = false;
        own.again();
        own.published(&own.command(&["--detached"]).output().unwrap());
        let effect = if after_effect { "after" } else { "before" };
        println!("{request:>7} {effect:<6} {place}: {:?}", own.counts());
        assert!(reached || request + 3 >= requests, "{request} never came");
        assert_eq!(own.counts(), (1, 1, 1), "killed {effect} {place}");
    }
}

#[test]
fn faults_of_the_master_are_no_second_record() {
    for (method, path, fault) in [
        ("PUT", "/api/v1/experiments/by-external-id", Fault::CutAfter),
        ("PUT", "/api/v1/trials", Fault::StatusAfter(503)),
        ("POST", "/api/v1/trials/10/start", Fault::CutAfter),
        ("PATCH", "/api/v1/trials/10", Fault::ExpireTokens),
        ("POST", "/api/v1/trials/10/metrics", Fault::StatusAfter(504)),
        ("POST", "/api/v1/checkpoints", Fault::CutAfter),
    ] {
        let own = Own::new();
        own.master.fault(method, path, fault, 1);
        own.published(&own.command(&["--detached"]).output().unwrap());
        assert_eq!(own.counts(), (1, 1, 1), "{fault:?} at {path}");
    }
}

#[test]
fn a_training_that_fails_is_recorded_as_failed() {
    let mut own = Own::new();
    own.pfs = Own::pfs(&own.storage, "").file("data/a.csv", "x,y\n1,a\n1,b\n1,a\n1,b\n");
    let err = own.refused(&own.command(&["--detached"]).output().unwrap());
    assert!(err.contains("there is no column to learn from"), "{err}");
    assert_eq!(own.master.world().experiments[&1].state, "ERROR");
    // The data is corrected: the same experiment records the next attempt.
    own.again();
    own.published(&own.command(&["--detached"]).output().unwrap());
    assert_eq!(own.counts(), (1, 1, 1));
    assert_eq!(own.master.world().experiments[&1].state, "COMPLETED");
}

#[test]
fn a_signal_leaves_the_experiment_for_the_next_attempt() {
    let mut own = Own::new();
    let slow = Fault::Slow(Duration::from_secs(60));
    own.master.fault("POST", "/api/v1/checkpoints", slow, 1);
    let child = own.command(&["--detached"]).spawn().unwrap();
    own.wait_for_request("/checkpoints");
    terminate(&child);
    let err = own.refused(&child.wait_with_output().unwrap());
    assert!(
        err.contains("trains again, in the same experiment"),
        "{err}"
    );
    own.again();
    own.published(&own.command(&["--detached"]).output().unwrap());
    assert_eq!(own.counts(), (1, 1, 1));
}

#[test]
fn a_storage_that_is_not_here_is_named_before_anything_is_trained() {
    let own = Own::new();
    let config = "checkpoint_storage: {type: shared_fs, host_path: /nowhere-at-all}\n";
    std::fs::write(own.pfs.path().join("det.yaml"), config).unwrap();
    let err = own.refused(&own.command(&["--detached"]).output().unwrap());
    assert!(err.contains("/nowhere-at-all"), "{err}");
    assert_eq!(own.reports("/metrics").len(), 0);
}
