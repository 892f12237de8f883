//! What can go wrong, and what is then to happen on each target.

use std::fs;
use std::process::Child;

use axum::http::Method;

use super::{BACK, Fault, NEVER, UP, UP_BUT};
use crate::stub::{Answer, Behaviour, Rule};
use crate::support::scene::Scene;

pub(super) fn fault(
    name: &'static str,
    arrange: fn(&mut Scene),
    expected: [Option<(i32, &'static str)>; 4],
) -> Fault {
    Fault {
        name,
        arrange,
        meanwhile: None,
        expected,
    }
}

pub(super) fn behaves(scene: &mut Scene, behaviour: Behaviour) {
    scene.behaves("2", behaviour);
}

pub(super) fn rule(
    scene: &mut Scene,
    method: Method,
    path: &'static str,
    skip: u32,
    times: u32,
    answer: Answer,
) {
    let rule = Rule {
        method,
        path,
        skip,
        times,
        answer,
    };
    scene.stub.world().rules.0.push(rule);
}

pub(super) fn of_the_version() -> Vec<Fault> {
    let all = [UP, UP, UP, UP];
    vec![
        fault("none", |_| {}, all),
        fault(
            "slow start",
            |s| behaves(s, Behaviour::Good(1500)),
            [UP, UP, UP, None],
        ),
        fault(
            "never ready",
            |s| behaves(s, Behaviour::NeverReady),
            [BACK, BACK, BACK, None],
        ),
        fault(
            "crash loop",
            |s| behaves(s, Behaviour::Stuck("CrashLoopBackOff")),
            [BACK, BACK, BACK, None],
        ),
        fault(
            "no such image",
            |s| behaves(s, Behaviour::Stuck("ImagePullBackOff")),
            [BACK, BACK, BACK, None],
        ),
        fault(
            "invalid for the operator",
            |s| behaves(s, Behaviour::Invalid),
            [BACK, BACK, BACK, None],
        ),
        fault(
            "failed, then recovers",
            |s| behaves(s, Behaviour::Recovers),
            [UP, UP, UP, None],
        ),
        fault(
            "damaged package",
            |s| {
                fs::create_dir(s.pfs.path("data/model")).unwrap();
                fs::write(s.pfs.path("data/model/model.json"), "{").unwrap();
            },
            [BACK, BACK, BACK, BACK],
        ),
        fault(
            "no folder for the record",
            |s| fs::rename(s.pfs.path("out"), s.pfs.path("before")).unwrap(),
            [UP_BUT, UP_BUT, UP_BUT, BACK],
        ),
    ]
}

pub(super) fn of_the_credentials() -> Vec<Fault> {
    vec![
        fault(
            "not accepted",
            |s| {
                let mut world = s.stub.world();
                world.kubernetes_tokens.clear();
                world.client_secret = "another".to_owned();
            },
            [BACK, BACK, BACK, None],
        ),
        Fault {
            meanwhile: Some(|s, _| {
                s.wait_for_write();
                fs::write(s.pfs.path("token"), "kubernetes-token-two-VERYSECRET").unwrap();
                let mut world = s.stub.world();
                world.kubernetes_tokens = vec!["kubernetes-token-two-VERYSECRET".to_owned()];
                world.platform_tokens.clear();
            }),
            ..fault(
                "token expires while waiting",
                |s| behaves(s, Behaviour::Good(1200)),
                [UP, UP, UP, None],
            )
        },
        fault(
            "detectors fail",
            |s| {
                s.extra = ["--detect-bucket-uri", "gs://b", "--detect-batch-size", "4"]
                    .map(str::to_owned)
                    .to_vec();
                rule(
                    s,
                    Method::POST,
                    "drift-detector",
                    0,
                    NEVER,
                    Answer::Status(500, "storage is not readable"),
                );
            },
            [None, UP_BUT, None, None],
        ),
    ]
}

pub(super) fn of_the_surroundings() -> Vec<Fault> {
    let killed = |scene: &Scene, child: &mut Child| {
        if scene.target != "manifest" {
            scene.wait_for_write();
        }
        child.kill().unwrap();
    };
    vec![
        Fault {
            meanwhile: Some(killed),
            ..fault(
                "SIGKILL, then again",
                |s| behaves(s, Behaviour::Good(3000)),
                [UP, UP, UP, UP],
            )
        },
        Fault {
            meanwhile: Some(killed),
            ..fault(
                "SIGKILL of what never gets ready, then again",
                |s| behaves(s, Behaviour::NeverReady),
                [BACK, BACK, BACK, None],
            )
        },
        Fault {
            meanwhile: Some(|s, _| {
                s.wait_for_write();
                let mut world = s.stub.world();
                let mut object = world.objects[s.key()].object.clone();
                let text = object
                    .to_string()
                    .replace("\"2\"", "\"3\"")
                    .replace("\\\"2\\\"", "\\\"3\\\"");
                object = serde_json::from_str(&text).unwrap();
                world.store(s.key(), object, "kubectl");
            }),
            ..fault(
                "somebody else deploys meanwhile",
                |s| {
                    // Not before somebody else, however busy the machine is.
                    s.deadline = "30";
                    behaves(s, Behaviour::Good(20_000));
                },
                [Some((1, "3")), Some((1, "3")), Some((1, "3")), None],
            )
        },
    ]
}
