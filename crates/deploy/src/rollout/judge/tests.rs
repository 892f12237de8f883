//! The judge on the observed timeline, without a cluster.

use serde_json::json;

use super::*;

fn object(version: &str, generation: i64, state: &str, since: &str) -> Value {
    let ready = if state == "Available" {
        "True"
    } else {
        "False"
    };
    let container =
        json!({"name": "c", "image": "serve:1", "env": [{"name": "V", "value": version}]});
    let parameter = json!({"name": "model_version", "type": "STRING", "value": version});
    json!({
        "kind": "SeldonDeployment",
        "metadata": {"name": "iris", "generation": generation},
        "spec": {"predictors": [{
            "name": "default",
            "graph": {"name": "c", "parameters": [parameter]},
            "componentSpecs": [{"spec": {"containers": [container]}}],
        }]},
        "status": {
            "state": state,
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": since}],
        },
    })
}

fn deployment(version: &str, counts: [i64; 4]) -> Workload {
    let [observed, updated, replicas, available] = counts;
    let env =
        json!([{"name": "V", "value": version}, {"name": "PREDICTOR_ID", "value": "default"}]);
    let container = json!({"name": "c", "image": "serve:1", "env": env});
    Workload::new(json!({
        "metadata": {"name": "iris-default-0-c", "generation": 2},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
        "status": {
            "observedGeneration": observed, "updatedReplicas": updated,
            "replicas": replicas, "availableReplicas": available,
        },
    }))
}

fn seen(state: &str, since: &str, workload: Option<Workload>, served: Served) -> Seen {
    Seen {
        object: object("2", 2, state, since),
        workloads: workload.map(|workload| vec![workload]),
        pods: Vec::new(),
        served,
    }
}

fn unreachable() -> Served {
    Served::Unreachable("refused".to_owned())
}

fn judge() -> Judge {
    let baseline = Baseline {
        ready_since: "before".to_owned(),
        failed: false,
        generation: 1,
    };
    let pace = Pace {
        look: Duration::from_secs(2),
        deadline: Duration::from_secs(100),
    };
    Judge::new(&object("2", 2, "Available", "before"), baseline, true, pace)
}

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn waits(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Waiting(_))
}

#[test]
fn both_false_available_of_the_timeline_are_not_believed() {
    let mut judge = judge();
    let old = || Some(deployment("1", [2, 1, 1, 1]));
    let stale = || Some(deployment("2", [1, 1, 1, 1]));
    for (ms, state, workload) in [
        (0, "Available", old()),
        (90, "Creating", old()),
        (120, "Available", stale()),
        (260, "Creating", Some(deployment("2", [2, 1, 2, 1]))),
        (500, "Available", Some(deployment("2", [2, 1, 2, 2]))),
    ] {
        let verdict = judge.judge(at(ms), &seen(state, "after", workload, unreachable()));
        assert!(waits(&verdict), "{ms}: {verdict:?}");
    }
    let done = Some(deployment("2", [2, 1, 1, 1]));
    let versions = Served::Versions(vec!["2".to_owned()]);
    let verdict = judge.judge(at(600), &seen("Available", "after", done, versions));
    let evidence = vec![Evidence::Deployments, Evidence::ModelMetadata];
    assert_eq!(verdict, Verdict::Done(evidence));
}

#[test]
fn a_model_that_still_answers_as_the_old_version_is_not_done() {
    let mut judge = judge();
    let done = || Some(deployment("2", [2, 1, 1, 1]));
    for served in [
        Served::Versions(vec!["1".to_owned()]),
        Served::Refuses("503".to_owned()),
    ] {
        for ms in [1000, 20_000] {
            let look = seen("Available", "after", done(), served.clone());
            assert!(waits(&judge.judge(at(ms), &look)));
        }
    }
}

#[test]
fn without_the_kubernetes_api_the_history_of_ready_counts() {
    let look = |state, since| seen(state, since, None, unreachable());
    // Available all the time, and never not ready: still about the old one.
    let mut stale = judge();
    for ms in [0, 2000, 5000, 50_000] {
        let verdict = stale.judge(at(ms), &look("Available", "before"));
        assert!(waits(&verdict), "{ms}: {verdict:?}");
    }
    // A transition after the write, then ready in looks five seconds apart.
    let mut changed = judge();
    assert!(waits(&changed.judge(at(0), &look("Available", "before"))));
    assert!(waits(&changed.judge(at(2000), &look("Available", "after"))));
    assert!(waits(&changed.judge(at(4000), &look("Available", "after"))));
    let verdict = changed.judge(at(7000), &look("Available", "after"));
    assert_eq!(verdict, Verdict::Done(vec![Evidence::ConditionHistory]));
}

#[test]
fn failed_has_to_last_and_to_be_new() {
    let look = |state, since| seen(state, since, None, unreachable());
    let mut judge = judge();
    assert!(waits(&judge.judge(at(0), &look("Failed", "after"))));
    assert!(waits(&judge.judge(at(5000), &look("Creating", "after"))));
    assert!(waits(&judge.judge(at(6000), &look("Failed", "after"))));
    assert!(waits(&judge.judge(at(15_000), &look("Failed", "after"))));
    let verdict = judge.judge(at(16_000), &look("Failed", "after"));
    assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
}

#[test]
fn the_deadline_ends_creating_for_ever() {
    let mut judge = judge();
    let look = || seen("Creating", "after", None, unreachable());
    assert!(waits(&judge.judge(at(99_000), &look())));
    let Verdict::Failed(reason) = judge.judge(at(100_000), &look()) else {
        panic!()
    };
    assert!(reason.contains("not done after 100 s"), "{reason}");
}

#[test]
fn what_somebody_else_writes_is_noticed() {
    let mut judge = judge();
    let mut look = seen("Available", "after", None, unreachable());
    look.object = object("3", 3, "Creating", "after");
    assert!(matches!(judge.judge(at(0), &look), Verdict::Superseded(_)));
    // Another generation of the same content is no other content.
    look.object = object("2", 3, "Creating", "after");
    assert!(waits(&judge.judge(at(0), &look)));
    // Under GitOps the old content stays for a while.
    look.object = object("1", 1, "Available", "before");
    assert!(waits(&judge.judge(at(60_000), &look)));
}

#[test]
fn what_had_failed_and_is_ready_within_the_same_second_is_about_the_write() {
    for (failed, done) in [(true, true), (false, false)] {
        let baseline = Baseline {
            ready_since: "this second".to_owned(),
            failed,
            generation: 1,
        };
        let pace = judge().pace;
        let written = object("2", 2, "Available", "this second");
        let mut judge = Judge::new(&written, baseline, true, pace);
        let look = |judge: &mut Judge, ms| {
            judge.judge(
                at(ms),
                &seen("Available", "this second", None, unreachable()),
            )
        };
        assert!(waits(&look(&mut judge, 0)));
        let verdict = look(&mut judge, 60_000);
        let expected = Verdict::Done(vec![Evidence::ConditionHistory]);
        assert_eq!(verdict == expected, done, "{failed}: {verdict:?}");
    }
}
