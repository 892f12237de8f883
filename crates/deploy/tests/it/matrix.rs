//! Every fault on every target: how deploy ends, and what serves afterwards.
//!
//! Version 1 serves, version 2 is deployed, and something goes wrong.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use axum::http::Method;

use crate::rollout::Scene;
use crate::stub::{Answer, Behaviour, Rule};
use crate::support::stderr;

/// What is to happen on the live targets, in the order of [`TARGETS`].
struct Fault {
    name: &'static str,
    arrange: fn(&mut Scene),
    /// While deploy runs.
    meanwhile: Option<fn(&Scene, &mut Child)>,
    /// Exit status and version that serves; none: it cannot happen there.
    expected: [Option<(i32, &'static str)>; 4],
}

const TARGETS: [&str; 4] = ["seldon-core", "seldon-deploy", "kserve", "manifest"];
const UP: Option<(i32, &str)> = Some((0, "2"));
const BACK: Option<(i32, &str)> = Some((1, "1"));
const UP_BUT: Option<(i32, &str)> = Some((1, "2"));
const NEVER: u32 = u32::MAX;

fn fault(
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

fn behaves(scene: &mut Scene, behaviour: Behaviour) {
    scene.behaves("2", behaviour);
}

fn rule(
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

/// Reads of the object, which kubernetes paths and the platform's share.
const OBJECT: &str = "s/iris?";

fn write_method(scene: &Scene) -> Method {
    match scene.target {
        "seldon-deploy" => Method::PUT,
        _ => Method::PATCH,
    }
}

fn of_the_version() -> Vec<Fault> {
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
            |s| fs::remove_dir_all(s.pfs.path("out")).unwrap(),
            [UP_BUT, UP_BUT, UP_BUT, Some((1, "none"))],
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table: an entry for each fault")]
fn of_the_api() -> Vec<Fault> {
    vec![
        fault(
            "webhook down",
            |s| {
                let answer = Answer::Status(500, "Internal error occurred: failed calling webhook");
                let method = write_method(s);
                rule(s, method, OBJECT, 0, NEVER, answer);
            },
            [BACK, BACK, BACK, None],
        ),
        fault(
            "webhook down for two calls",
            |s| {
                let answer = Answer::Status(500, "Internal error occurred: failed calling webhook");
                let method = write_method(s);
                rule(s, method, OBJECT, 0, 2, answer);
            },
            [UP, UP, UP, None],
        ),
        fault(
            "write refused",
            |s| {
                let method = write_method(s);
                rule(
                    s,
                    method,
                    OBJECT,
                    0,
                    NEVER,
                    Answer::Status(403, "forbidden"),
                );
            },
            [BACK, BACK, BACK, None],
        ),
        fault(
            "write done, answer lost",
            |s| {
                let method = write_method(s);
                let dry_runs = u32::from(s.target != "seldon-deploy");
                rule(s, method, OBJECT, dry_runs, 1, Answer::Lost);
            },
            [UP, UP, UP, None],
        ),
        fault(
            "stale version, 409 once",
            |s| {
                rule(
                    s,
                    Method::PUT,
                    OBJECT,
                    0,
                    1,
                    Answer::Status(409, "the object has been modified"),
                )
            },
            [None, UP, None, None],
        ),
        fault(
            "another manager's field, 409",
            |s| {
                let key = s.key();
                let mut world = s.stub.world();
                world.objects.get_mut(key).unwrap().manager = "kubectl".to_owned();
            },
            [BACK, None, None, None],
        ),
        fault(
            "errors while waiting",
            |s| {
                rule(
                    s,
                    Method::GET,
                    OBJECT,
                    3,
                    4,
                    Answer::Status(500, "etcdserver: request timed out"),
                )
            },
            [UP, UP, UP, None],
        ),
        fault(
            "breaks while waiting",
            |s| rule(s, Method::GET, OBJECT, 3, 4, Answer::Break),
            [UP, UP, UP, None],
        ),
        fault(
            "watch breaks",
            |s| rule(s, Method::GET, "watch=", 0, NEVER, Answer::Break),
            [UP, None, UP, None],
        ),
        fault(
            "gone for good while waiting",
            |s| rule(s, Method::GET, OBJECT, 4, NEVER, Answer::Break),
            [BACK, UP_BUT, BACK, None],
        ),
        fault(
            "Deployments are not readable",
            |s| s.stub.world().evidence_allowed = false,
            [UP, None, UP, None],
        ),
        fault(
            "unreachable",
            |s| rule(s, Method::GET, "/", 0, NEVER, Answer::Break),
            [BACK, BACK, BACK, None],
        ),
    ]
}

fn of_the_credentials() -> Vec<Fault> {
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

fn of_the_surroundings() -> Vec<Fault> {
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
                |s| behaves(s, Behaviour::Good(900)),
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
                |s| behaves(s, Behaviour::Good(1300)),
                [Some((1, "3")), Some((1, "3")), Some((1, "3")), None],
            )
        },
    ]
}

/// One cell: exit status, what serves, and the first line of the error.
fn run(fault: &Fault, target: &'static str) -> (i32, String, String) {
    let mut scene = Scene::new(target);
    scene.succeeds("1");
    (fault.arrange)(&mut scene);
    if matches!(fault.expected.first(), Some(Some((1, _)))) {
        scene.deadline = "4";
    }
    let mut command = scene.command("2");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    if let Some(meanwhile) = fault.meanwhile {
        meanwhile(&scene, &mut child);
    }
    let mut output = child.wait_with_output().unwrap();
    if fault.name.starts_with("SIGKILL") {
        if target != "manifest" {
            assert_eq!(output.status.code(), None, "it was killed");
            assert!(!scene.serving().is_empty());
        }
        output = scene.deploy("2");
    }
    std::thread::sleep(Duration::from_millis(1500));
    let text = stderr(&output);
    let said = text
        .lines()
        .find(|line| line.starts_with("error:"))
        .unwrap_or_default();
    assert_eq!(
        scene.gaps(),
        0,
        "{target}: {}: nothing served for a time",
        fault.name
    );
    let served = match target {
        "manifest" => in_the_file(&scene),
        _ => scene.serving().join(" and "),
    };
    (output.status.code().unwrap(), served, said.to_owned())
}

fn in_the_file(scene: &Scene) -> String {
    let text = fs::read_to_string(scene.pfs.path("out/seldon-deployment.yaml"));
    let text = text.unwrap_or_default();
    let version = text
        .split("s3://bucket/")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    version.unwrap_or("none").to_owned()
}

#[test]
fn every_fault_on_every_target() {
    let faults: Vec<Fault> = [
        of_the_version(),
        of_the_api(),
        of_the_credentials(),
        of_the_surroundings(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let cells = (0..faults.len()).flat_map(|fault| (0..4).map(move |target| (fault, target)));
    let cells = Mutex::new(cells.filter(|(f, t)| faults[*f].expected[*t].is_some()));
    let results = Mutex::new(std::collections::BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some((fault, target)) = cells.lock().unwrap().next() else {
                        return;
                    };
                    let cell = run(&faults[fault], TARGETS[target]);
                    results.lock().unwrap().insert((fault, target), cell);
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let mut wrong = Vec::new();
    println!(
        "{:<46}{:<14}{:>4}  serves afterwards",
        "fault", "target", "exit"
    );
    for (index, fault) in faults.iter().enumerate() {
        for (place, target) in TARGETS.iter().enumerate() {
            let Some((code, version)) = fault.expected[place] else {
                println!("{:<46}{target:<14}   -  does not apply", fault.name);
                continue;
            };
            let (got, served, said) = &results[&(index, place)];
            println!("{:<46}{target:<14}{got:>4}  {served:<8} {said}", fault.name);
            if (*got, served.as_str()) != (code, version) {
                wrong.push(format!(
                    "{} on {target}: {got} and {served}, wanted {code} and {version}: {said}",
                    fault.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
