use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::bail;
use serde_json::json;

use super::journal::DONE;
use super::*;

fn changes(root: &Path) -> Vec<Change> {
    let names = ["a.json", "b.json", "c.json"];
    let change = |name: &str| Change {
        path: root.join(name),
        before: format!("old {name}"),
        after: format!("new {name}"),
    };
    let changes: Vec<Change> = names.map(change).into();
    for change in &changes {
        fs::write(&change.path, &change.before).unwrap();
    }
    changes
}

fn tree(root: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(root).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// Runs `replace` and does `end` when the step with this number begins.
fn stopped_at(step: usize, end: impl Fn() -> Result<()> + Sync) {
    let root = tempfile::tempdir().unwrap();
    let changes = changes(root.path());
    let before = tree(root.path());
    let count = AtomicUsize::new(0);
    let go_on = || {
        let now = count.fetch_add(1, Ordering::Relaxed) + 1;
        if now == step { end() } else { Ok(()) }
    };
    let run = || replace(root.path(), "serve", &changes, go_on);
    let killed = catch_unwind(AssertUnwindSafe(run)).is_err();
    for change in &changes {
        let text = fs::read_to_string(&change.path).unwrap();
        assert!(text == change.before || text == change.after, "{text}");
    }
    let replaced = step.saturating_sub(changes.len() + 1);
    let what = "serve".to_owned();
    let wanted = if killed {
        let kept = Vec::new();
        Recovered::Undone {
            what,
            replaced,
            kept,
        }
    } else {
        Recovered::Nothing
    };
    assert_eq!(recover(root.path()).unwrap(), wanted);
    assert_eq!(tree(root.path()), before, "step {step}");
}

#[test]
fn a_failure_at_any_step_is_undone_at_once() {
    for step in 1..=6 {
        stopped_at(step, || bail!("disk full"));
    }
}

#[test]
fn a_kill_at_any_step_is_undone_by_the_next_run() {
    for step in 1..=6 {
        stopped_at(step, || panic!("killed"));
    }
}

#[test]
fn all_files_change_together_and_nothing_is_left() {
    let root = tempfile::tempdir().unwrap();
    let changes = changes(root.path());
    replace(root.path(), "serve", &changes, || Ok(())).unwrap();
    let names: Vec<String> = tree(root.path()).into_keys().collect();
    assert_eq!(names, ["a.json", "b.json", "c.json"]);
    let texts: Vec<String> = tree(root.path()).into_values().collect();
    assert_eq!(texts, ["new a.json", "new b.json", "new c.json"]);
}

#[test]
fn a_second_file_that_cannot_be_written_leaves_the_first_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let changes = changes(root.path());
    fs::create_dir(root.path().join(".b.json.new")).unwrap();
    let error = replace(root.path(), "serve", &changes, || Ok(())).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("b.json"), "{error}");
    let text = fs::read_to_string(&changes.first().unwrap().path).unwrap();
    assert_eq!(text, "old a.json");
}

#[test]
fn a_file_changed_meanwhile_or_read_only_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let changes = changes(root.path());
    let path = root.path().join("c.json");
    fs::write(&path, "edited").unwrap();
    let error = replace(root.path(), "serve", &changes, || Ok(())).unwrap_err();
    assert!(format!("{error:#}").contains("somebody else"), "{error:#}");
    fs::write(&path, "old c.json").unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let before = tree(root.path());
    let error = replace(root.path(), "serve", &changes, || Ok(())).unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error:#}");
    assert_eq!(tree(root.path()), before);
}

#[test]
fn what_somebody_edited_after_a_kill_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let changes = changes(root.path());
    let count = AtomicUsize::new(0);
    let go_on = || {
        let before = count.fetch_add(1, Ordering::Relaxed);
        assert!(before < 5, "killed when two files are replaced");
        Ok(())
    };
    let run = || replace(root.path(), "serve", &changes, go_on);
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    let path = root.path().join("a.json");
    fs::write(&path, "edited").unwrap();
    let wanted = Recovered::Undone {
        what: "serve".to_owned(),
        replaced: 2,
        kept: vec![path.clone()],
    };
    assert_eq!(recover(root.path()).unwrap(), wanted);
    assert_eq!(fs::read_to_string(&path).unwrap(), "edited");
    assert_eq!(tree(root.path()).len(), 3);
}

#[test]
fn a_kill_while_tidying_is_told_as_complete() {
    let root = tempfile::tempdir().unwrap();
    let content = json!({"what": "serve", "files": []});
    fs::write(root.path().join(DONE), content.to_string()).unwrap();
    let complete = Recovered::Complete("serve".to_owned());
    assert_eq!(recover(root.path()).unwrap(), complete);
    assert_eq!(recover(root.path()).unwrap(), Recovered::Nothing);
}
