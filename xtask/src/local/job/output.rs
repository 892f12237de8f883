//! The output of a job, put together from that of its datums.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::local::datum::Datum;
use crate::local::repo::Processed;
use crate::local::tree::{FileEntry, Tree};

/// A datum with what it is known by.
pub(super) struct Keyed<'a> {
    pub(super) datum: &'a Datum<'a>,
    /// `PACH_DATUM_ID`.
    pub(super) id: String,
    /// Content and salt.
    pub(super) hash: String,
}

/// How a datum came to its end.
#[derive(Debug)]
pub(super) enum Done {
    /// The program succeeded.
    Output(Processed, Tree),
    /// It failed, and `err_cmd` succeeded: no output, and the next job tries again.
    Recovered,
}

/// What has been made of the datums so far.
#[derive(Default)]
pub(super) struct Output {
    /// The datums whose output is in, processed now or kept.
    pub(super) done: Vec<Processed>,
    /// Each output file, and the datum that made it.
    files: BTreeMap<String, (FileEntry, String)>,
    /// How many were processed now.
    pub(super) processed: usize,
    /// The IDs of those that `err_cmd` has recovered.
    pub(super) recovered: Vec<String>,
    /// The IDs of those that failed, and why.
    pub(super) failed: Vec<(String, String)>,
}

impl Output {
    /// Takes a datum's output, unless it conflicts with that of another one.
    ///
    /// # Errors
    ///
    /// When both wrote the same path, or one a file where the other has a folder.
    pub(super) fn add(&mut self, done: Processed, files: Tree) -> Result<()> {
        for (name, entry) in files {
            if let Some((_, other)) = self.files.get(&name) {
                bail!("the datums {other} and {} both write {name:?}", done.id);
            }
            if let Some(file) = self.folder_conflict(&name) {
                bail!("{file:?} and {name:?} cannot both be in the output");
            }
            self.files.insert(name, (entry, done.id.clone()));
        }
        self.done.push(done);
        Ok(())
    }

    /// All files.
    pub(super) fn tree(&self) -> Tree {
        let files = self.files.iter();
        files
            .map(|(name, (entry, _))| (name.clone(), entry.clone()))
            .collect()
    }

    /// A file that stands where `name` needs a folder, or the other way round.
    fn folder_conflict(&self, name: &str) -> Option<&String> {
        let above = name.match_indices('/').find_map(|(end, _)| {
            let (file, _) = self.files.get_key_value(name.get(..end)?)?;
            Some(file)
        });
        let folder = format!("{name}/");
        let first_below = || self.files.range(folder.clone()..).next();
        above.or_else(|| {
            first_below()
                .map(|(file, _)| file)
                .filter(|file| file.starts_with(&folder))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(output: &mut Output, datum: &str, files: &[&str]) -> Result<(), String> {
        let done = Processed {
            id: datum.to_owned(),
            hash: String::new(),
            job: String::new(),
            files: files.iter().map(ToString::to_string).collect(),
        };
        let entry = FileEntry {
            size: 0,
            sha256: String::new(),
        };
        let sources = done.files.iter().map(|name| (name.clone(), entry.clone()));
        let sources = sources.collect();
        output.add(done, sources).map_err(|error| error.to_string())
    }

    #[test]
    fn outputs_are_merged() {
        let mut output = Output::default();
        add(&mut output, "one", &["a/x", "b"]).unwrap();
        add(&mut output, "two", &["a/y", "a-b", "ab"]).unwrap();
        let names: Vec<String> = output.tree().into_keys().collect();
        assert_eq!(names, ["a-b", "a/x", "a/y", "ab", "b"]);
    }

    #[test]
    fn conflicts_are_refused() {
        for (one, two) in [("a", "a"), ("a", "a/b"), ("a/b/c", "a"), ("a/b/c", "a/b")] {
            let mut output = Output::default();
            add(&mut output, "one", &["other", one]).unwrap();
            let error = add(&mut output, "two", &[two]).unwrap_err();
            assert!(error.contains(&format!("{one:?}")), "{error}");
        }
    }
}
