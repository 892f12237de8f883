//! `mode: delta`: a second commit continues the last model with what is new in it.

use std::fs;
use std::process::Command;

use crate::common::pictures::{colours, look, png};
use crate::common::{CONFIG, Pfs, VERSION, likeliest, texts};
use model::Package;
use pachd_mock::{MockPachd, State, files};

const SETTINGS: &str = "backbone: /pfs/backbone\nmode: delta\nkeep: 0.2\nsearch: {folds: 3}\n";
const LAST: [&str; 2] = ["--last-model", "/pfs/last"];

/// Thirty pictures, red and blue, and the settings of a delta.
fn first(settings: &str) -> Pfs {
    colours(|class, number| format!("{class}/{number}.png")).file("experiment.yaml", settings)
}

/// Makes the published model the last one, and adds ten green pictures.
fn then_green(pfs: Pfs) -> Pfs {
    green(pfs.keep_as_last())
}

fn green(mut pfs: Pfs) -> Pfs {
    for number in 0..10_u8 {
        let picture = png([number * 4, 200, 30 + number], number);
        pfs = pfs.file(&format!("data/green/{number}.png"), picture);
    }
    pfs
}

/// The class that the model gives a picture of one colour.
fn class(package: &Package, colour: [u8; 3]) -> String {
    let (scores, _) = look(package, &png(colour, 0));
    likeliest(package, &scores)
}

#[test]
fn a_new_class_is_learned_and_the_old_ones_are_not_forgotten() {
    let pfs = first(SETTINGS);
    let (_, err) = pfs.train(&[&CONFIG[..], &LAST].concat());
    assert!(err.contains("there is no last model in /pfs/last"), "{err}");
    assert_eq!(pfs.metrics()["training_rows"], 24);
    let before = pfs.package().manifest;
    assert_eq!(before.provenance.base, None);

    let pfs = then_green(pfs);
    let (_, err) = pfs.train(&[&CONFIG[..], &LAST].concat());
    assert!(
        err.contains(&format!("10 files new since {VERSION}")),
        "{err}"
    );
    assert!(
        err.contains("10 new pictures, and again from 6 of 30 old ones"),
        "{err}"
    );
    assert!(err.contains("embedded 16 pictures"), "{err}");
    let package = pfs.package();
    assert_eq!(package.manifest.labels, ["blue", "green", "red"]);
    for (colour, expected) in [
        ([190, 40, 5], "red"),
        ([30, 30, 210], "blue"),
        ([20, 200, 35], "green"),
    ] {
        assert_eq!(class(&package, colour), expected);
    }
    let provenance = package.manifest.provenance;
    let base = provenance.base.as_ref().unwrap();
    assert_eq!(
        (&base.version, base.digest),
        (&before.version, before.digest)
    );
    // The list is of the whole commit: the next delta starts from there.
    assert_eq!(provenance.data_file_count(), 40);
}

/// Only pictures of the new class are learned from, and yet the head keeps what it
/// knew: the penalty holds it to the last one.
#[test]
fn without_old_pictures_the_head_stays_near_the_last_one() {
    let settings = SETTINGS.replace("keep: 0.2", "keep: 0");
    let pfs = first(&settings);
    pfs.train(&[&CONFIG[..], &LAST].concat());
    let pfs = then_green(pfs);
    let (_, err) = pfs.train(&[&CONFIG[..], &LAST].concat());
    assert!(err.contains("again from 0 of 30 old ones"), "{err}");
    let package = pfs.package();
    assert_eq!(class(&package, [190, 40, 5]), "red");
    assert_eq!(class(&package, [30, 30, 210]), "blue");
}

#[test]
fn a_delta_is_made_again_with_the_model_that_it_continues() {
    let pfs = first(SETTINGS);
    pfs.train(&[&CONFIG[..], &LAST].concat());
    let pfs = then_green(pfs);
    pfs.train(&[&CONFIG[..], &LAST].concat());
    let (status, _, said) = pfs.verify(&LAST);
    assert_eq!(status, Some(0), "{said}");
    let (status, _, said) = pfs.verify(&[]);
    assert_eq!(status, Some(1));
    assert!(
        said.contains("name the package of that one with --last-model"),
        "{said}"
    );
}

#[test]
fn where_nothing_is_new_everything_is_learned() {
    let pfs = first(SETTINGS);
    pfs.train(&CONFIG.iter().chain(&LAST).copied().collect::<Vec<_>>());
    let pfs = pfs.keep_as_last();
    let (_, err) = pfs.train(&[&CONFIG[..], &LAST].concat());
    assert!(
        err.contains(&format!("no file is new since {VERSION}")),
        "{err}"
    );
    assert_eq!(pfs.metrics()["training_rows"], 24);
}

#[test]
fn what_cannot_be_continued_is_refused() {
    let with = [&CONFIG[..], &LAST].concat();
    let untold = first(SETTINGS).refused(&CONFIG);
    assert!(untold.contains("with --last-model"), "{untold}");
    let mlp = first("backbone: /pfs/backbone\nmode: delta\nsearch: {heads: [mlp]}\n");
    assert!(mlp.refused(&with).contains("continues a linear head"));
    let hidden = first("backbone: /pfs/backbone\nsearch: {folds: 3, heads: [mlp]}\n");
    hidden.train(&CONFIG);
    let hidden = then_green(hidden).file("experiment.yaml", SETTINGS);
    let error = hidden.refused(&with);
    assert!(error.contains("has a hidden layer"), "{error}");
    let other = first(SETTINGS);
    other.train(&with);
    let other = then_green(other);
    let description = other.path().join("backbone/backbone.json");
    let text = fs::read_to_string(&description).unwrap();
    fs::write(&description, text.replace("CC0-1.0", "MIT")).unwrap();
    let error = other.refused(&with);
    assert!(
        error.contains("does not stand on the backbone means"),
        "{error}"
    );
}

/// A worker: the data and the output of this pipeline in a Pachyderm.
struct Worker {
    pfs: Pfs,
    pachd: MockPachd,
}

const TOKEN: &str = "robot-token";

impl Worker {
    /// After a first job, one that failed and one without data; a second commit of
    /// the data is being processed.
    fn new() -> Self {
        let pfs = first(SETTINGS);
        pfs.train(&[&CONFIG[..], &LAST].concat());
        let pachd = MockPachd::start();
        let data = |pfs: &Pfs| files(&pfs.path().join("data"));
        let (before, output) = (data(&pfs), files(&pfs.out()));
        fs::remove_dir_all(pfs.out()).unwrap();
        fs::create_dir(pfs.out()).unwrap();
        let pfs = green(pfs);
        let mut world = pachd.world();
        world.token = Some(TOKEN.to_owned());
        world.commit("iris-data", "c0ffee", State::Finished, before);
        world.commit("iris-data", "decaf", State::Finished, data(&pfs));
        world.commit("iris-model", VERSION, State::Finished, output);
        world.commit("iris-model", "empty", State::Finished, files(&pfs.out()));
        world.commit("iris-model", "failed", State::Failed, files(&pfs.out()));
        world.commit("iris-model", "now", State::Open, files(&pfs.out()));
        drop(world);
        Self { pfs, pachd }
    }

    fn command(&self) -> Command {
        let mut command = self.pfs.command();
        command
            .args(CONFIG)
            .env("PEER_PORT", self.pachd.port().to_string())
            .env("PACH_TOKEN", TOKEN)
            .env("PACH_JOB_ID", "now")
            .env("PACH_OUTPUT_COMMIT_ID", "now")
            .env("data_COMMIT", "decaf");
        command
    }
}

#[test]
fn pachyderm_tells_the_last_successful_model_and_what_is_new() {
    for old in [false, true] {
        let worker = Worker::new();
        worker.pachd.world().old = old;
        let output = worker.command().output().unwrap();
        let (_, err) = texts(&output);
        assert!(output.status.success(), "{err}");
        assert!(
            err.contains(&format!("the last model is in iris-model@{VERSION}")),
            "{err}"
        );
        assert!(
            err.contains(&format!("10 files new since {VERSION}")),
            "{err}"
        );
        assert!(err.contains("again from 6 of 30 old ones"), "{err}");
        assert!(!err.contains(TOKEN), "{err}");
        let base = worker.pfs.package().manifest.provenance.base.unwrap();
        assert_eq!(base.version, VERSION);
        let calls = worker.pachd.world().calls.clone();
        for call in ["InspectCommit", "GetFile", "DiffFile"] {
            assert!(calls.iter().any(|c| c == call), "{calls:?}");
        }
    }
}

#[test]
fn the_difference_is_that_to_the_commit_of_the_last_model() {
    let worker = Worker::new();
    // A third commit: the parent of what is read is not what was trained on.
    let late = png([10, 220, 20], 3);
    let pfs_data = worker.pfs.path().join("data/green/late.png");
    fs::write(pfs_data, late).unwrap();
    let all = files(&worker.pfs.path().join("data"));
    worker
        .pachd
        .world()
        .commit("iris-data", "third", State::Finished, all);
    let output = worker
        .command()
        .env("data_COMMIT", "third")
        .output()
        .unwrap();
    let (_, err) = texts(&output);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("11 files new since"), "{err}");
}

#[test]
fn without_a_right_to_ask_nothing_is_published() {
    let worker = Worker::new();
    let refused = |command: &mut Command| {
        let output = command.output().unwrap();
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(!worker.pfs.out().join("model").exists());
        err.lines().last().unwrap().to_owned()
    };
    let error = refused(worker.command().env_remove("PACH_TOKEN"));
    assert!(error.contains("no authentication token"), "{error}");
    assert!(error.contains("repoReader"), "{error}");
    let error = refused(worker.command().env("PAC_TOKEN", "stale"));
    assert!(error.contains("has expired"), "{error}");
    assert!(!error.contains("stale"), "{error}");
    let error = refused(worker.command().env("PEER_PORT", "1"));
    assert!(
        error.contains("cannot reach Pachyderm at http://127.0.0.1:1"),
        "{error}"
    );
}

/// Without the difference, the digests of the last model tell the same.
#[test]
fn an_unknown_commit_is_no_reason_to_stop() {
    let worker = Worker::new();
    worker
        .pachd
        .world()
        .repos
        .get_mut("iris-data")
        .unwrap()
        .remove(0);
    let output = worker.command().output().unwrap();
    let (_, err) = texts(&output);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("what is new is told by digests"), "{err}");
    assert!(err.contains("10 files new since"), "{err}");
}
