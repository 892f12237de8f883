//! Every fault on every target: how deploy ends, and what serves afterwards.
//!
//! Version 1 serves, version 2 is deployed, and something goes wrong.

mod api;
mod faults;

use std::process::{Child, Stdio};
use std::sync::Mutex;

use crate::support::scene::Scene;
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

/// One cell: exit status, what serves, and the first line of the error.
fn run(fault: &Fault, place: usize) -> (i32, String, String) {
    let target = TARGETS[place];
    let expected = fault.expected[place].map_or("", |(_, version)| version);
    let mut scene = Scene::new(target);
    scene.succeeds("1");
    if matches!(fault.expected.first(), Some(Some((1, _)))) {
        scene.deadline = "4";
    }
    (fault.arrange)(&mut scene);
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
    let text = stderr(&output);
    let said = text
        .lines()
        .find(|line| line.starts_with("error:"))
        .unwrap_or_default();
    let served = match target {
        "manifest" => scene.version_in_the_manifest(),
        _ => scene.settled(expected).join(" and "),
    };
    assert_eq!(
        scene.gaps(),
        0,
        "{target}: {}: nothing served for a time",
        fault.name
    );
    (output.status.code().unwrap(), served, said.to_owned())
}

#[test]
fn every_fault_on_every_target() {
    let faults: Vec<Fault> = [
        faults::of_the_version(),
        api::of_the_api(),
        faults::of_the_credentials(),
        faults::of_the_surroundings(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let cells = (0..faults.len()).flat_map(|fault| (0..4).map(move |target| (fault, target)));
    let cells = Mutex::new(cells.filter(|(f, t)| faults[*f].expected[*t].is_some()));
    let results = Mutex::new(std::collections::BTreeMap::new());
    std::thread::scope(|scope| {
        // They mostly wait.
        for _ in 0..20 {
            scope.spawn(|| {
                loop {
                    let Some((fault, target)) = cells.lock().unwrap().next() else {
                        return;
                    };
                    let cell = run(&faults[fault], target);
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
            assert!(
                !served.is_empty(),
                "{} on {target}: nothing serving",
                fault.name
            );
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
