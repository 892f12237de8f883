//! What becomes the latest, and what the output commit says then.

use std::collections::BTreeMap;
use std::fs;

use model::{ModelInfo, Package};

use super::support::{Case, quick, served};
use crate::common::{Pfs, mixed_csv, tree};

/// As [`quick`], with a number that tells nothing.
fn worse() -> Pfs {
    let settings = "search: {models: [linear]}\nleave_out: [size]\n\
                    promote_if: accuracy >= previous\n";
    Pfs::with_csv(mixed_csv()).file("e.yaml", settings)
}

#[test]
fn a_worse_version_is_kept_and_not_served() {
    for scheme in ["file", "s3", "gs", "az"] {
        let case = Case::new(scheme);
        let pfs = quick();
        let (out, err) = case.publishes("job-a", &pfs);
        assert!(
            out.contains(&format!("registry    {} version 1", case.url)),
            "{out}"
        );
        assert!(out.contains("promoted    yes: accuracy is 0."), "{out}");
        assert!(err.contains("has no latest version of iris"), "{err}");
        assert_eq!(served(&pfs.out()), ("job-a".to_owned(), 1));
        let first = tree(&pfs.out().join("model"));

        let pfs = worse();
        let (out, err) = case.publishes("job-b", &pfs);
        assert!(out.contains("promoted    no: accuracy is 0."), "{out}");
        assert!(out.contains("latest      version 1, as before"), "{out}");
        assert!(err.contains("has iris 1 (job-a) as the latest"), "{err}");
        assert!(err.contains("warning: published as version 2"), "{err}");
        // The output is that of the version that goes on being served.
        assert_eq!(served(&pfs.out()), ("job-a".to_owned(), 1));
        assert_eq!(tree(&pfs.out().join("model")), first);
        let info = ModelInfo::read(&pfs.out().join("model-info.yaml")).unwrap();
        let candidate = info.candidate.unwrap();
        assert_eq!((candidate.version.as_str(), candidate.number), ("job-b", 2));
        assert!(
            candidate.reason.contains("of version 1"),
            "{}",
            candidate.reason
        );
        let kept = Package::open(&pfs.out().join("candidate")).unwrap();
        assert_eq!(kept.manifest.version, "job-b");
        let metrics = fs::read(pfs.out().join("candidate/metrics.json")).unwrap();
        let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
        assert_eq!(metrics["previous"]["version"], "job-a");
        // Once more in the same output, and once in another: nothing is new.
        let before = tree(&pfs.out());
        let (out, _) = case.publishes("job-b", &pfs);
        assert!(out.contains("nothing to do"), "{out}");
        let again = worse();
        let (_, err) = case.publishes("job-b", &again);
        assert!(err.contains("was published before as version 2"), "{err}");
        assert_eq!(tree(&again.out()), before);
        let other = case.job("job-c", &pfs).output().unwrap();
        let error = String::from_utf8(other.stderr).unwrap();
        assert!(error.contains("holds iris job-b already"), "{error}");
        assert_eq!(case.latest().unwrap().number, 1);
    }
}

#[test]
fn without_a_promoted_version_there_is_nothing_to_serve() {
    let case = Case::new("file");
    let pfs = quick();
    let mut job = case.job("job-a", &pfs);
    job.args(["--promote-if", "accuracy >= previous and accuracy > 0.999"]);
    let output = job.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(text.contains("there is nothing to deploy yet"), "{text}");
    let names: Vec<_> = fs::read_dir(pfs.out()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    Package::open(&pfs.out().join("candidate")).unwrap();
    // A second attempt finds that it is done.
    let again = job.output().unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);
    // The experiment's own condition holds for a first version.
    case.publishes("job-b", &quick());
    assert_eq!(case.latest().unwrap().number, 2);
}

#[test]
fn what_is_published_already_is_registered_when_there_is_a_registry() {
    let case = Case::new("file");
    let pfs = quick();
    pfs.train(&["--config", "/pfs/e.yaml"]);
    let first = tree(&pfs.out().join("model"));
    let version = crate::common::VERSION;
    let (out, _) = case.publishes(version, &pfs);
    assert!(out.contains("promoted    yes"), "{out}");
    assert!(out.contains("accuracy    0."), "{out}");
    assert_eq!(served(&pfs.out()), (version.to_owned(), 1));
    assert_eq!(tree(&pfs.out().join("model")), first);
    let (out, _) = case.publishes(version, &pfs);
    assert!(out.contains("nothing to do"), "{out}");
}

#[test]
fn what_is_wrong_is_said_before_the_training() {
    let case = Case::new("file");
    let refused = |settings: &str, args: &[&str]| {
        let pfs = Pfs::with_csv(mixed_csv()).file("e.yaml", settings);
        let all = [&["--config", "/pfs/e.yaml"], args].concat();
        pfs.refused(&all)
    };
    let registry = ["--registry", case.url.as_str()];
    for (settings, args, word) in [
        (
            "promote_if: accuracy",
            &registry[..],
            "e.yaml:1: promote_if \"accuracy\"",
        ),
        (
            "promote_if: accuracy <= previous",
            &registry,
            "write accuracy >= previous",
        ),
        (
            "promote_if: f1 >= previous",
            &registry,
            "there are accuracy, balanced_accuracy, log_loss, macro_f1",
        ),
        (
            "promote_if: rmse <= previous",
            &registry,
            "there is no metric \"rmse\"; there are accuracy",
        ),
        (
            "",
            &["--registry", "s3://k:hunter2@models/a"],
            "credentials belong in the environment",
        ),
        (
            "",
            &["--registry", "file:///nowhere/at/all"],
            "mkdir -p /nowhere/at/all",
        ),
        (
            "",
            &["--promote-if", "accuracy >"],
            "--promote-if: promote_if \"accuracy >\"",
        ),
    ] {
        let error = refused(settings, args);
        assert!(error.contains(word), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert_eq!(tree(case.root.path()), BTreeMap::new());
    let (_, err) = quick().train(&["--config", "/pfs/e.yaml"]);
    assert!(err.contains("has no effect without --registry"), "{err}");
}

#[test]
fn a_registry_that_fails_leaves_nothing() {
    let case = Case::new("s3");
    case.publishes("job-a", &quick());
    let bucket = case.bucket.as_ref().unwrap();
    bucket.answer(
        "/models/team/iris/versions/00000002.json",
        bucket_server::Answer::Status(403),
    );
    let pfs = quick();
    let output = case.job("job-b", &pfs).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("403") && !error.contains("hunter2"),
        "{error}"
    );
    assert_eq!(tree(&pfs.out()), BTreeMap::new());
}
