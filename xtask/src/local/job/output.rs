//! The output of a job, put together from that of its datums.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::local::repo::Processed;
use crate::local::tree::Sources;

/// What has been made of the datums so far.
#[derive(Default)]
pub(super) struct Output {
    /// The datums whose output is in, processed now or kept.
    pub(super) done: Vec<Processed>,
    /// Where each output file lies, and the datum that made it.
    files: BTreeMap<String, (PathBuf, String)>,
    /// How many were processed now.
    pub(super) processed: usize,
    /// Why the others are not in.
    pub(super) failed: Vec<String>,
}

impl Output {
    /// Takes a datum's output, unless it conflicts with that of another one.
    ///
    /// # Errors
    ///
    /// When both wrote the same path, or one a file where the other has a folder.
    pub(super) fn add(&mut self, done: Processed, sources: Sources) -> Result<()> {
        for (name, path) in sources {
            if let Some((_, other)) = self.files.get(&name) {
                bail!("the datums {other} and {} both write {name:?}", done.id);
            }
            if let Some(file) = self.folder_conflict(&name) {
                bail!("{file:?} and {name:?} cannot both be in the output");
            }
            self.files.insert(name, (path, done.id.clone()));
        }
        self.done.push(done);
        Ok(())
    }

    /// Where the files lie now.
    pub(super) fn sources(&self) -> Sources {
        let files = self.files.iter();
        files
            .map(|(name, (path, _))| (name.clone(), path.clone()))
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
        let sources = done
            .files
            .iter()
            .map(|name| (name.clone(), PathBuf::from(datum)));
        let sources = sources.collect();
        output.add(done, sources).map_err(|error| error.to_string())
    }

    #[test]
    fn outputs_are_merged() {
        let mut output = Output::default();
        add(&mut output, "one", &["a/x", "b"]).unwrap();
        add(&mut output, "two", &["a/y", "a-b", "ab"]).unwrap();
        let names: Vec<String> = output.sources().into_keys().collect();
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
