//! Jobs over a folder of data, without a manifest to serve: what a change costs,
//! and that it comes to the same as starting anew.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Outcome, Record, Runner};
use crate::descriptor::{self, Descriptor};
use crate::local::launch::Launcher;
use crate::local::repo::{self, Commit};
use crate::local::state::State;
use crate::local::tree::{self, Tree};
use crate::secrets::Secrets;

/// A program that upper-cases its files, and fails on a file that is called `bad`.
const PROGRAM: &str = r#"#!/bin/sh
set -e
cd "$PFS_ROOT/in"
if test "$1" = last; then echo "before: $(cat "${TRAIN_LAST_MODEL%/model}/a" 2>/dev/null)"; fi
for file in $(find . -type f); do
  case $file in */bad*) echo "no: $file"; test "$1" = recover || exit 3;; esac
  mkdir -p "../out/$(dirname "$file")"
  { printf '%s' "$SUFFIX"; tr a-z A-Z < "$file"; } > "../out/$file"
done
"#;

struct Lab {
    folder: TempDir,
    state: State,
    launcher: Launcher,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("tool");
        fs::write(&program, PROGRAM).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            state: State::open(folder.path(), "lab").unwrap(),
            launcher: Launcher::Processes {
                folder: folder.path().to_owned(),
                names: vec!["tool".to_owned()],
                library: None,
            },
            folder,
        }
    }

    fn commit(&self, repo: &str, files: &BTreeMap<String, String>) {
        let data = self.folder.path().join("data");
        let _ = fs::remove_dir_all(&data);
        fs::create_dir(&data).unwrap();
        for (name, text) in files {
            let path = data.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = tree::list(&data).unwrap();
        let files = self.state.objects().take_all(&files).unwrap();
        let repo = self.state.repo(repo);
        repo.commit(&repo::new_id(), files, None).unwrap();
    }

    fn pipeline(&self, change: impl FnOnce(&mut Value)) -> Descriptor {
        let mut value = json!({
            "pipeline": {"name": "out"},
            "input": {"pfs": {"name": "in", "repo": "in", "glob": "/*"}},
            "transform": {"image": "tool", "cmd": ["/tool"]},
            "parallelism_spec": {"constant": 2}, "datum_tries": 1
        });
        change(&mut value);
        let folder = self.folder.path().join("descriptors");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.json"), value.to_string()).unwrap();
        descriptor::read_folder(&folder).unwrap().remove(0)
    }

    fn run(&self, pipeline: &Descriptor, reprocess: bool) -> Outcome {
        let id = repo::new_id();
        let runner = Runner {
            state: &self.state,
            launcher: &self.launcher,
            secrets: &Secrets::of(self.folder.path()),
            use_case: "lab",
            id: &id,
        };
        runner.run(pipeline, reprocess, |_| {}).unwrap()
    }

    fn head(&self) -> Option<Commit> {
        self.state.repo("out").head().unwrap()
    }

    fn output(&self) -> Tree {
        self.head().map(|head| head.files).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        let files = self.state.repo("out").files(&self.head().unwrap().id);
        fs::read_to_string(files.join(name)).unwrap()
    }

    fn job(&self, log: &Path) -> Record {
        Record::read(&log.with_file_name("job.json")).unwrap()
    }
}

fn files(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pair = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    of.iter().map(pair).collect()
}

/// How many datums were processed now, and how many before.
fn counts(outcome: &Outcome) -> (usize, usize) {
    match outcome {
        Outcome::Success(finished) => (finished.processed, finished.skipped),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_delta_costs_what_is_new_in_it() {
    let lab = Lab::new();
    let pipeline = lab.pipeline(|_| {});
    lab.commit("in", &files(&[("a", "x"), ("b/c", "y")]));
    assert_eq!(counts(&lab.run(&pipeline, false)), (2, 0));
    assert!(matches!(lab.run(&pipeline, false), Outcome::Skipped { .. }));
    lab.commit("in", &files(&[("a", "x"), ("b/c", "z"), ("d", "")]));
    assert_eq!(counts(&lab.run(&pipeline, false)), (2, 1));
    assert_eq!(lab.text("b/c"), "Z");
    lab.commit("in", &files(&[("d", "")]));
    assert_eq!(counts(&lab.run(&pipeline, false)), (0, 1));
    assert_eq!(lab.output().keys().collect::<Vec<_>>(), ["d"]);
    lab.commit("in", &files(&[]));
    assert_eq!(counts(&lab.run(&pipeline, false)), (0, 0));
    assert!(lab.output().is_empty() && lab.head().unwrap().parent.is_some());
}

#[test]
fn an_update_skips_and_reprocessing_does_not() {
    let lab = Lab::new();
    lab.commit("in", &files(&[("a", "x")]));
    lab.run(&lab.pipeline(|_| {}), false);
    let changed = lab.pipeline(|it| it["transform"]["env"] = json!({"SUFFIX": "1"}));
    assert_eq!(counts(&lab.run(&changed, false)), (0, 1));
    assert_eq!(lab.text("a"), "X");
    assert_eq!(counts(&lab.run(&changed, true)), (1, 0));
    assert_eq!(lab.text("a"), "1X");
    let every = lab.pipeline(|it| it["reprocess_spec"] = json!("every_job"));
    assert_eq!(counts(&lab.run(&every, false)), (1, 0));
}

#[test]
fn a_failed_datum_fails_the_job_and_the_next_one_builds_on_the_last_good() {
    let lab = Lab::new();
    let pipeline = lab.pipeline(|_| {});
    lab.commit("in", &files(&[("a", "x")]));
    lab.run(&pipeline, false);
    let good = lab.head().unwrap().id;
    lab.commit("in", &files(&[("a", "x"), ("bad", ""), ("c", "y")]));
    let Outcome::Failed { reason, log } = lab.run(&pipeline, false) else {
        panic!()
    };
    assert!(reason.contains("exit status: 3"), "{reason}");
    let record = lab.job(&log);
    let counts_of = |it: &Record| (it.data_processed, it.data_skipped, it.data_failed);
    assert_eq!(counts_of(&record), (1, 1, 1));
    assert_eq!(record.failed.len(), 1);
    assert_eq!(lab.head().unwrap().id, good);
    lab.commit("in", &files(&[("a", "x"), ("c", "y")]));
    assert_eq!(counts(&lab.run(&pipeline, false)), (1, 1));
}

#[test]
fn a_program_is_told_the_last_good_output() {
    let lab = Lab::new();
    let pipeline = lab.pipeline(|it| it["transform"]["cmd"] = json!(["/tool", "last"]));
    let before = |content: &str| {
        lab.commit("in", &files(&[("a", content)]));
        lab.run(&pipeline, false);
        let log = lab.state.job("out", &lab.head().unwrap().id).join("log");
        let said = fs::read_to_string(log).unwrap();
        let line = said.lines().find_map(|line| line.split_once("before:"));
        line.unwrap().1.trim().to_owned()
    };
    assert_eq!(before("x"), "");
    assert_eq!(before("y"), "X");
    lab.commit("in", &files(&[("a", "z"), ("bad", "")]));
    assert!(matches!(lab.run(&pipeline, false), Outcome::Failed { .. }));
    assert_eq!(before("v"), "Y");
}

#[test]
fn err_cmd_recovers_a_datum_until_the_next_job() {
    let lab = Lab::new();
    let with = |it: &mut Value| it["transform"]["err_cmd"] = json!(["/tool", "recover"]);
    let pipeline = lab.pipeline(with);
    lab.commit("in", &files(&[("a", "x"), ("bad", "")]));
    assert_eq!(counts(&lab.run(&pipeline, false)), (1, 0));
    assert_eq!(lab.output().keys().collect::<Vec<_>>(), ["a"]);
    lab.commit("in", &files(&[("a", "x"), ("bad", ""), ("c", "")]));
    let Outcome::Success(finished) = lab.run(&pipeline, false) else {
        panic!()
    };
    assert_eq!((finished.processed, finished.recovered), (1, 1));
}

#[test]
fn names_pipes_and_links_into_them() {
    let script = |text: &str| json!({"image": "tool", "cmd": ["/tool", "-c", text]});
    for (option, link, expected) in [
        (
            "empty_files",
            "ln -s \"$PFS_ROOT/in/b\" out/l; test ! -s in/b/c; touch out/e",
            "y",
        ),
        (
            "lazy",
            "cat in/a > out/e; ln -s \"$PFS_ROOT/in/b/c\" out/l",
            "y",
        ),
    ] {
        let lab = Lab::new();
        // The shell itself is the program.
        fs::remove_file(lab.folder.path().join("tool")).unwrap();
        fs::copy("/bin/sh", lab.folder.path().join("tool")).unwrap();
        lab.commit("in", &files(&[("a", "x"), ("b/c", "y")]));
        let pipeline = lab.pipeline(|it| {
            it["transform"] = script(&format!("cd \"$PFS_ROOT\"; {link}"));
            it["input"]["pfs"][option] = json!(true);
            it["input"]["pfs"]["glob"] = json!("/");
        });
        let outcome = lab.run(&pipeline, false);
        assert_eq!(counts(&outcome), (1, 0), "{option}");
        let name = if option == "lazy" { "l" } else { "l/c" };
        assert_eq!(lab.text(name), expected, "{option}");
        let lent = if option == "lazy" { "x" } else { "" };
        assert_eq!(lab.text("e"), lent, "{option}");
    }
}

/// What may happen to a repo and its pipeline.
#[derive(Debug, Clone)]
enum Event {
    Put(usize, u8),
    Delete(usize),
    /// A change that the output does not show.
    Update(u8),
    /// One that it shows, with reprocessing.
    Reprocess(u8),
    Job,
}

const NAMES: [&str; 6] = ["a", "b/c", "b/d", "e", "bad", "f/g/h"];

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..NAMES.len(), 0_u8..3).prop_map(|(name, text)| Event::Put(name, text)),
        2 => (0..NAMES.len()).prop_map(Event::Delete),
        1 => (0_u8..3).prop_map(Event::Update),
        1 => (0_u8..3).prop_map(Event::Reprocess),
        4 => Just(Event::Job),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn the_increments_come_to_the_same_as_starting_anew(
        events in prop::collection::vec(event(), 1..10),
        glob in prop::sample::select(vec!["/", "/*", "/**", "/{a,b/*}"]),
    ) {
        let lab = Lab::new();
        let mut data = files(&[("a", "x")]);
        let (mut note, mut suffix) = (0, 0);
        for event in events.into_iter().chain([Event::Job]) {
            let mut reprocess = false;
            match event {
                Event::Put(name, text) => {
                    data.insert(NAMES[name].to_owned(), format!("text{text}"));
                    continue;
                }
                Event::Delete(name) => {
                    data.remove(NAMES[name]);
                    continue;
                }
                Event::Update(to) => note = to,
                Event::Reprocess(to) => (suffix, reprocess) = (to, true),
                Event::Job => {}
            }
            let change = |it: &mut Value| {
                it["description"] = json!(format!("note {note}"));
                it["transform"]["env"] = json!({"SUFFIX": suffix.to_string()});
                it["input"]["pfs"]["glob"] = json!(glob);
            };
            lab.commit("in", &data);
            let before = lab.output();
            let outcome = lab.run(&lab.pipeline(change), reprocess);
            let anew = Lab::new();
            anew.commit("in", &data);
            let from_scratch = anew.run(&anew.pipeline(change), false);
            match (outcome, from_scratch) {
                (Outcome::Success(_), Outcome::Success(_)) => {
                    prop_assert_eq!(lab.output(), anew.output());
                }
                (Outcome::Failed { .. }, Outcome::Failed { .. }) => {
                    prop_assert_eq!(lab.output(), before, "the last good output stays");
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
