//! The versions in a crate's manifest and in the lock file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Changed, Plan, Raise};
use crate::bump::manifest;
use crate::bump::replace::Change;
use crate::refs::{self, Edit};

impl Plan {
    pub(super) fn manifest(&mut self, root: &Path, raise: &Raise) -> Result<()> {
        let file = format!("crates/{}/Cargo.toml", raise.name);
        let text = read(&root.join(&file))?;
        match manifest::crate_edit(&text, &raise.to) {
            Ok(None) => Ok(()),
            Ok(Some(edit)) => self.toml(root, &file, text, vec![edit], "package.version"),
            Err(error) => {
                self.problems.push(format!("{file}: {error:#}"));
                Ok(())
            }
        }
    }

    pub(super) fn lock(&mut self, root: &Path, raises: &[Raise]) -> Result<()> {
        let file = "Cargo.lock";
        if !root.join(file).exists() {
            self.left.push(format!("{file}: there is none"));
            return Ok(());
        }
        let text = read(&root.join(file))?;
        let mut edits = Vec::new();
        for raise in raises {
            match manifest::lock_edits(&text, &raise.name, &raise.to) {
                Ok(more) => edits.extend(more),
                Err(error) => self.problems.push(format!(
                    "{file}: {error:#}; run \"cargo metadata\", which brings it up to date"
                )),
            }
        }
        self.toml(root, file, text, edits, "package.version")
    }

    fn toml(
        &mut self,
        root: &Path,
        file: &str,
        before: String,
        mut edits: Vec<Edit>,
        path: &str,
    ) -> Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        edits.sort_by_key(|edit| edit.span.start);
        for edit in &edits {
            let head = before.get(..edit.span.start).unwrap_or_default();
            let old = before.get(edit.span.clone()).unwrap_or_default();
            self.lines.push(Changed {
                file: file.to_owned(),
                line: head.matches('\n').count() + 1,
                path: path.to_owned(),
                before: old.to_owned(),
                after: edit.text.clone(),
            });
        }
        let after = refs::apply(&before, edits)?;
        let path = root.join(file).canonicalize()?;
        self.changes.push(Change {
            path,
            before,
            after,
        });
        Ok(())
    }
}

fn read(path: &PathBuf) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
