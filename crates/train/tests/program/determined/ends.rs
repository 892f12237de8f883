//! What ends without a package, and what it says then.

use determined_mock::{CheckpointScript, Outcome, Script};

use super::support::{Case, PAC_TOKEN, graph};
use crate::common::texts;

#[test]
fn every_end_has_its_words() {
    let cases: [(Script, &[&str], &str); 5] = [
        (Script::ending(Outcome::Error), &[], "experiment 1 failed"),
        (
            Script::completed(&[]),
            &[],
            "completed without a checkpoint",
        ),
        (
            Script::completed(&[(1, None), (2, Some(f64::NAN))]),
            &[],
            "none with a finite accuracy",
        ),
        (
            Script::ending(Outcome::Paused),
            &["--on-pause", "fail"],
            "is paused: activate it at",
        ),
        (
            Script {
                states: vec!["QUEUED".to_owned(); 100_000],
                ..Script::default()
            },
            &["--queue-limit", "50ms"],
            "waited longer than 50ms for resources and is cancelled",
        ),
    ];
    for (script, args, words) in cases {
        let case = Case::new();
        case.master.world().script = script;
        let err = case.refused(args);
        assert!(err.contains(words), "{words}: {err}");
        assert_eq!(case.counts(), (1, 0), "nothing is registered");
    }
}

/// The files of the best checkpoint, changed.
fn with_files(change: impl Fn(&mut CheckpointScript)) -> Case {
    let case = Case::new();
    case.master
        .world()
        .script
        .checkpoints
        .iter_mut()
        .for_each(change);
    case
}

#[test]
fn what_cannot_be_served_is_refused() {
    let case = with_files(|c| drop(c.files.remove("model.onnx")));
    let err = case.refused(&[]);
    assert!(
        err.contains("on_checkpoint_write_end") && err.contains("store_path"),
        "{err}"
    );
    assert_eq!(case.counts(), (1, 0), "nothing is registered");
    for (output, softmax, words) in [
        ("scores", true, "name the one to serve \"probabilities\""),
        ("probabilities", false, "export the model with a softmax"),
    ] {
        let case =
            with_files(|c| drop(c.files.insert("model.onnx".into(), graph(output, softmax))));
        let err = case.refused(&[]);
        assert!(err.contains(words), "{words}: {err}");
    }
    let secret = [b"\xff\x00", PAC_TOKEN.as_bytes()].concat();
    let case = with_files(|c| drop(c.files.insert("state.pkl".into(), secret.clone())));
    let err = case.refused(&[]);
    assert!(
        err.contains("state.pkl: it holds a password or token"),
        "{err}"
    );
}

#[test]
fn a_description_names_the_classes() {
    let text = br#"{"target": "animal", "labels": ["cat", "dog", "owl"]}"#;
    let case = with_files(|c| drop(c.files.insert("model.json".into(), text.to_vec())));
    let output = case.output(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", texts(&output).1);
    let package = case.pfs.package();
    assert_eq!(package.manifest.labels, ["cat", "dog", "owl"]);
    assert_eq!(package.manifest.target, "animal");
}

#[test]
fn wrong_settings_are_refused_before_anything_is_created() {
    let case = Case::new();
    let none = case.refused(&["--config", "none.yaml"]);
    assert!(none.contains("cannot read the configuration"), "{none}");
    let code = case.refused(&["--code", "/pfs/nowhere"]);
    assert!(code.contains("is not a folder"), "{code}");
    let output = case
        .command()
        .env("DET_PASSWORD", "wr0ng-passw0rd")
        .output()
        .unwrap();
    let (_, err) = texts(&output);
    assert!(err.contains("401") && !err.contains("wr0ng"), "{err}");
    assert_eq!(case.counts(), (0, 0));
}
