//! Replaces several files together or not at all, also when the process is
//! killed in between.
//!
//! A journal says what is meant to happen. The new text of each file is written
//! beside it (`.NAME.new`); then the two change names, file after file, and the
//! journal is marked as done. Undoing is changing names once more, which needs
//! no disk space. A journal found by a later run is that of a killed one: marked
//! as done, only the tidying is left; otherwise what was done is undone.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::images::seal::hex;

/// Name of the journal, in the workspace's root.
const JOURNAL: &str = ".bump-journal.json";

/// A file and its new text.
pub(crate) struct Change {
    /// Real path, no symbolic link.
    pub(crate) path: PathBuf,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// What became of a former run that was killed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// There was none.
    Nothing,
    /// All files were in place; what it did.
    Complete(String),
    /// It is undone; what it meant to do, how many files it had replaced, and
    /// which of these stay as they are because somebody edited them since.
    Undone {
        what: String,
        replaced: usize,
        kept: Vec<PathBuf>,
    },
}

/// Replaces all files. `go_on` is asked before every step; its error ends the
/// work and undoes it.
///
/// # Errors
/// When anything fails; all files are then as before.
pub(crate) fn replace(
    root: &Path,
    what: &str,
    changes: &[Change],
    go_on: impl Fn() -> Result<()>,
) -> Result<()> {
    for change in changes {
        check(change)?;
    }
    let planned: Vec<Planned> = changes.iter().map(Planned::of).collect();
    let journal = Journal::begin(root, what, &planned)?;
    match act(changes, &go_on) {
        Ok(()) => journal.finish(&planned),
        Err(error) => {
            let undone = undo(&planned).and_then(|_| journal.remove());
            undone.with_context(|| format!("cannot undo: {error}; the next bump tries again"))?;
            Err(error.context("no file was changed"))
        }
    }
}

/// Deals with what a killed run left behind.
///
/// # Errors
/// When a file cannot be restored.
pub(crate) fn recover(root: &Path) -> Result<Recovered> {
    let Some((journal, content)) = Journal::open(root)? else {
        return Ok(Recovered::Nothing);
    };
    let what = journal.what.clone();
    let listed = content.get("files").and_then(Value::as_array);
    let listed = listed.into_iter().flatten();
    let planned: Vec<Planned> = listed.filter_map(Planned::read).collect();
    if content.get("state").and_then(Value::as_str) == Some("done") {
        journal.finish(&planned)?;
        return Ok(Recovered::Complete(what));
    }
    let (replaced, kept) = undo(&planned)?;
    journal.remove()?;
    Ok(Recovered::Undone {
        what,
        replaced,
        kept,
    })
}

fn check(change: &Change) -> Result<()> {
    let path = change.path.display();
    let metadata = fs::metadata(&change.path).with_context(|| format!("cannot read {path}"))?;
    ensure!(
        !metadata.permissions().readonly(),
        "{path} is read-only; make it writable (chmod u+w) or leave its pipeline out"
    );
    Ok(())
}

fn act(changes: &[Change], go_on: &impl Fn() -> Result<()>) -> Result<()> {
    for change in changes {
        go_on()?;
        prepare(change)?;
    }
    for change in changes {
        go_on()?;
        let path = &change.path;
        swap(path).with_context(|| format!("cannot replace {}", path.display()))?;
    }
    Ok(())
}

/// Lets a file and the one beside it change names.
fn swap(path: &Path) -> std::io::Result<()> {
    let (new, old) = (aside(path, "new"), aside(path, "old"));
    match renameat_with(CWD, &new, CWD, path, RenameFlags::EXCHANGE) {
        // Not every file system can do it in one step.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(path, &old).or_else(|_| fs::copy(path, &old).map(|_| ()))?;
            fs::rename(&new, path)?;
            fs::rename(&old, &new)
        }
        done => Ok(done?),
    }
}

fn prepare(change: &Change) -> Result<()> {
    let path = &change.path;
    let now = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        now == change.before.as_bytes(),
        "{} was changed by somebody else meanwhile",
        path.display()
    );
    let write = || -> std::io::Result<()> {
        let mut file = File::create_new(aside(path, "new"))?;
        file.write_all(change.after.as_bytes())?;
        file.set_permissions(fs::metadata(path)?.permissions())
    };
    write().with_context(|| format!("cannot write beside {}", path.display()))
}

/// A file as the journal names it.
struct Planned {
    path: PathBuf,
    /// SHA-256 of the old text, in hexadecimal digits.
    before: String,
    /// Of the new one.
    after: String,
}

impl Planned {
    fn of(change: &Change) -> Self {
        Self {
            path: change.path.clone(),
            before: digest(change.before.as_bytes()),
            after: digest(change.after.as_bytes()),
        }
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        Some(Self {
            path: text("path")?.into(),
            before: text("before")?.to_owned(),
            after: text("after")?.to_owned(),
        })
    }
}

/// Puts the old files back; gives the number of those that were replaced, and
/// those that stay because they hold neither the old text nor the new one.
fn undo(planned: &[Planned]) -> Result<(usize, Vec<PathBuf>)> {
    let mut replaced = 0;
    let mut kept = Vec::new();
    for file in planned {
        let path = &file.path;
        let (new, old) = (aside(path, "new"), aside(path, "old"));
        if exists(&old)? {
            // Killed between the steps of a swap that takes several.
            fs::rename(&old, &new)?;
        }
        let now = fs::read(path)
            .map(|bytes| digest(&bytes))
            .unwrap_or_default();
        // Before its turn, what lies beside the file is the new text, or a part.
        if now != file.before && exists(&new)? {
            replaced += 1;
            if now == file.after {
                swap(path).with_context(|| format!("cannot restore {}", path.display()))?;
            } else {
                kept.push(path.clone());
            }
        }
        remove(&new)?;
    }
    Ok((replaced, kept))
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn aside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}"))
}

fn exists(path: &Path) -> Result<bool> {
    let exists = path.try_exists();
    exists.with_context(|| format!("cannot look for {}", path.display()))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Keeps other bumps out as long as it lives.
pub(crate) struct Guard(#[expect(dead_code, reason = "holds the lock")] File);

impl Guard {
    /// Takes the lock of the workspace, which is on a file that no bump replaces.
    ///
    /// # Errors
    /// When another bump holds it.
    pub(crate) fn take(root: &Path) -> Result<Self> {
        let path = root.join("Cargo.toml");
        let file = File::open(&path);
        let file = file.with_context(|| format!("cannot read {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => bail!("another bump is at work here"),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

/// The journal on disk.
struct Journal {
    path: PathBuf,
    what: String,
}

impl Journal {
    fn begin(root: &Path, what: &str, planned: &[Planned]) -> Result<Self> {
        let path = root.join(JOURNAL);
        let what = what.to_owned();
        let journal = Self { path, what };
        let write = || {
            let mut file = File::create_new(&journal.path)?;
            file.write_all(journal.content("begun", planned).as_bytes())?;
            file.sync_all()
        };
        let written = write();
        written.with_context(|| format!("cannot write {}", journal.path.display()))?;
        Ok(journal)
    }

    fn content(&self, state: &str, planned: &[Planned]) -> String {
        let file =
            |file: &Planned| json!({"path": file.path, "before": file.before, "after": file.after});
        let files: Vec<Value> = planned.iter().map(file).collect();
        json!({"what": self.what, "state": state, "files": files}).to_string()
    }

    fn open(root: &Path) -> Result<Option<(Self, Value)>> {
        let path = root.join(JOURNAL);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        // Killed before the journal was whole: nothing else had begun.
        let content: Value = serde_json::from_str(&text).unwrap_or_default();
        let what = content.get("what").and_then(Value::as_str);
        let what = what.unwrap_or("(not yet said)").to_owned();
        Ok(Some((Self { path, what }, content)))
    }

    /// The new files stay; tidies up.
    fn finish(&self, planned: &[Planned]) -> Result<()> {
        // Renamed into place, so that a journal is never half written.
        let done = self.path.with_extension("done");
        fs::write(&done, self.content("done", planned))?;
        fs::rename(&done, &self.path)?;
        for Planned { path, .. } in planned {
            remove(&aside(path, "new"))?;
        }
        self.remove()
    }

    fn remove(&self) -> Result<()> {
        remove(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};

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
    fn stopped_at(step: usize, end: impl Fn() -> Result<()>) {
        let root = tempfile::tempdir().unwrap();
        let changes = changes(root.path());
        let before = tree(root.path());
        let count = Cell::new(0);
        let go_on = || {
            count.set(count.get() + 1);
            if count.get() == step { end() } else { Ok(()) }
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
        let count = Cell::new(0);
        let go_on = || {
            count.set(count.get() + 1);
            assert!(count.get() < 6, "killed when two files are replaced");
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
        let content = json!({"what": "serve", "state": "done", "files": []});
        fs::write(root.path().join(JOURNAL), content.to_string()).unwrap();
        let complete = Recovered::Complete("serve".to_owned());
        assert_eq!(recover(root.path()).unwrap(), complete);
        assert_eq!(recover(root.path()).unwrap(), Recovered::Nothing);
    }
}
