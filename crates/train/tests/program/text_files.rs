//! Texts that are a file each, in the folder of their class.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::pictures::EXPERIMENT;
use crate::common::texts::with_words;
use crate::common::{CONFIG, Pfs, tree};

/// What happy and sad texts say.
const WORDS: [(&str, &str); 2] = [("happy", "good fine day"), ("sad", "bad awful day")];

/// Twenty texts of each class, each in the file that `name` gives.
fn texts(name: fn(&str, usize) -> String) -> Pfs {
    let mut pfs = with_words(Pfs::new()).file("experiment.yaml", EXPERIMENT);
    for number in 0..20 {
        for (class, words) in WORDS {
            let text = format!("\u{feff}{}{words} {number}\n", "the ".repeat(number % 3));
            pfs = pfs.file(&format!("data/{}", name(class, number)), text);
        }
    }
    pfs
}

fn in_folders() -> Pfs {
    texts(|class, number| format!("{class}/{number}.txt"))
}

fn config(pfs: &Pfs) -> Value {
    pfs.package().manifest.provenance.config
}

#[test]
fn the_folder_of_a_text_is_its_class() {
    let pfs = in_folders().file("data/happy/notes.md", "no text");
    let (_, err) = pfs.train(&CONFIG);
    assert!(
        err.contains("found 40 texts of 2 classes by Folder"),
        "{err}"
    );
    assert!(err.contains("left out the file happy/notes.md"), "{err}");
    let manifest = pfs.package().manifest;
    assert_eq!(manifest.labels, ["happy", "sad"]);
    assert_eq!(manifest.target, "folder");
    assert_eq!(manifest.provenance.data_file_count(), 40);
    assert_eq!(config(&pfs)["labels"], "folder");
    assert_eq!(pfs.metrics()["accuracy"], 1.0);
    let (status, out, err) = pfs.verify(&[]);
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(
        out.starts_with("inputs      the same: 40 data files"),
        "{out}"
    );
}

#[test]
fn the_begin_of_its_name_may_be_its_class() {
    let pfs = texts(|class, number| format!("all/{class}.{number}.txt"));
    let (_, err) = pfs.train(&CONFIG);
    assert!(err.contains("by Prefix"), "{err}");
    assert_eq!(pfs.package().manifest.labels, ["happy", "sad"]);
}

#[test]
fn a_mistake_shows_the_text_and_its_file() {
    let mut pfs = in_folders();
    for number in 0..6 {
        let name = format!("data/happy/wrong-{number}.txt");
        pfs = pfs.file(&name, format!("bad awful day 3{number}"));
    }
    pfs.train(&CONFIG);
    let report = pfs.report();
    let (_, mistakes) = report.split_once("The worst mistakes").unwrap();
    assert!(mistakes.contains("<q>bad awful day 3"), "{mistakes}");
    assert!(mistakes.contains(">happy/wrong-"), "{mistakes}");
}

#[test]
fn what_is_broken_is_told_and_left_out_up_to_a_share() {
    let pfs = in_folders()
        .file("data/sad/latin.txt", b"b\xe4d day")
        .file("experiment.yaml", format!("{EXPERIMENT}max_broken: 0.06\n"));
    let (_, err) = pfs.train(&CONFIG);
    let told = "warning: left out sad/latin.txt: it is not UTF-8 text from byte 1 on";
    assert!(err.contains(told), "{err}");
    assert!(pfs.report().contains("sad/latin.txt"));
    assert_eq!(pfs.package().manifest.provenance.data_file_count(), 41);
    let large = "bad ".repeat(300_000);
    let error = in_folders()
        .file("data/sad/large.txt", large)
        .file("data/sad/none.txt", "")
        .file("data/sad/latin.txt", b"b\xe4d day")
        .refused(&CONFIG);
    let words = "3 of 43 texts cannot be used, more than the share 0.05 of max_broken";
    assert!(error.starts_with(words), "{error}");
}

#[test]
fn what_may_be_either_must_be_told() {
    let row = |number| format!("good day {number},x\nbad day {number},y\n");
    let rows = "text,label\n".to_owned() + &(0..10).map(row).collect::<String>();
    let both = || in_folders().file("data/rows.csv", &rows);
    let error = both().refused(&CONFIG);
    assert!(error.contains("`labels: csv`"), "{error}");
    for (by, classes) in [("folder", ["happy", "sad"]), ("csv", ["x", "y"])] {
        let settings = format!("{EXPERIMENT}labels: {by}\n");
        let pfs = both().file("experiment.yaml", settings);
        pfs.train(&CONFIG);
        assert_eq!(pfs.package().manifest.labels, classes);
        let (status, out, err) = pfs.verify(&[]);
        assert_eq!(status, Some(0), "{out}{err}");
    }
    // One that says what the data is does not make it unclear.
    let pfs = with_words(Pfs::new())
        .file("experiment.yaml", EXPERIMENT)
        .file("data/rows.csv", &rows)
        .file("data/README.txt", "about the rows");
    pfs.train(&CONFIG);
    assert_eq!(config(&pfs)["labels"], Value::Null);
    let error = texts(|class, number| format!("{number}-{class}/text.txt")).refused(&CONFIG);
    assert!(error.contains("as good/1.txt"), "{error}");
    let none = with_words(Pfs::new()).file("experiment.yaml", EXPERIMENT);
    let error = none.refused(&CONFIG);
    assert!(
        error.starts_with("there is no text in the input data"),
        "{error}"
    );
    assert_eq!(tree(&none.out()), BTreeMap::new());
}

#[test]
fn new_texts_continue_the_last_model() {
    let settings = format!("{EXPERIMENT}mode: delta\nkeep: 0.2\n");
    let args = [&CONFIG[..], &["--last-model", "/pfs/last"]].concat();
    let pfs = in_folders()
        .file("data/sad/latin.txt", b"b\xe4d day")
        .file("experiment.yaml", settings);
    pfs.train(&args);
    let mut pfs = pfs.keep_as_last();
    for number in 0..10 {
        let name = format!("data/plain/{number}.txt");
        pfs = pfs.file(&name, format!("{}the {number}", "the ".repeat(number % 5)));
    }
    let (_, err) = pfs.train(&args);
    assert!(err.contains("10 files new since"), "{err}");
    assert!(
        err.contains("10 new texts, and again from 8 of 40 old ones"),
        "{err}"
    );
    assert!(!err.contains("latin.txt"), "{err}");
    assert_eq!(pfs.package().manifest.labels, ["happy", "plain", "sad"]);
}
