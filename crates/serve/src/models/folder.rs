//! Finds packages in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use model::MANIFEST_FILE;
use serde::Deserialize;

use crate::predict::Conditions;

/// Settings of the models in its folder and in those below, as MLServer reads them;
/// the agent of Seldon Core 2 renames by it what it has downloaded.
const SETTINGS_FILE: &str = "model-settings.json";
/// Folders below the root that are looked into: model, version, package.
const DEPTH: usize = 3;

/// A package that lies somewhere, loadable or not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// Where it lies.
    pub(super) folder: PathBuf,
    /// What is set for it from outside.
    pub(super) settings: Settings,
    /// Tells one content of the folder from another.
    pub(super) stamp: Stamp,
}

/// What may be set for a model beside its package.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(super) struct Settings {
    /// Its name.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// The size of its batches.
    #[serde(default)]
    max_batch_size: Option<usize>,
    /// How long a request may wait for others, in seconds.
    #[serde(default)]
    max_batch_time: Option<f64>,
}

impl Settings {
    /// Those in `folder`; none where the file is not there, and none, with a line in
    /// the log, where it cannot be read.
    pub(super) fn read(folder: &Path) -> Self {
        let path = folder.join(SETTINGS_FILE);
        let Ok(text) = fs::read(&path) else {
            return Self::default();
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            let (file, error) = (path.display().to_string(), error.to_string());
            tracing::warn!(file, error, "settings of a model are not used");
            Self::default()
        })
    }

    /// These, and those of a folder above where they say nothing.
    fn or(self, above: &Self) -> Self {
        let name = self.name.filter(|name| !name.is_empty());
        Self {
            name: name.or_else(|| above.name.clone()),
            max_batch_size: self.max_batch_size.or(above.max_batch_size),
            max_batch_time: self.max_batch_time.or(above.max_batch_time),
        }
    }

    /// `conditions` as far as the settings do not say otherwise.
    pub(super) fn over(&self, conditions: &Conditions) -> Conditions {
        let mut conditions = conditions.clone();
        let batching = &mut conditions.batching;
        batching.size = self.max_batch_size.unwrap_or(batching.size);
        let delay = self.max_batch_time.map(Duration::try_from_secs_f64);
        batching.delay = delay.and_then(Result::ok).unwrap_or(batching.delay);
        conditions
    }
}

/// Name, size in bytes and time of change of each file of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamp(Vec<(String, u64, Option<SystemTime>)>);

impl Found {
    /// What lies in `folder`.
    pub(super) fn at(folder: &Path, settings: Settings) -> Self {
        Self {
            folder: folder.to_owned(),
            settings,
            stamp: Stamp::of(folder),
        }
    }

    /// The name that the model will have: the given one, or that of its
    /// description as far as it can be read.
    pub(super) fn title(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Described {
            name: String,
        }
        let described = || {
            let text = fs::read(self.folder.join(MANIFEST_FILE)).ok()?;
            serde_json::from_slice::<Described>(&text).ok()
        };
        let given = self.settings.name.clone();
        given.or_else(|| described().map(|described| described.name))
    }
}

impl Stamp {
    /// Whether there is no file at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let metadata = fs::metadata(entry.path()).ok()?;
                let name = entry.file_name().to_string_lossy().into_owned();
                Some((name, metadata.len(), metadata.modified().ok()))
            })
            .collect();
        files.sort();
        Self(files)
    }
}

/// Whether `folder` is a package, whatever its state.
pub(super) fn is_package(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).exists()
}

/// All packages below `root`, in the order of their folders: numbers by their
/// value, and before other names.
pub(super) fn scan(root: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    descend(root, &Settings::default(), DEPTH, &mut found);
    found
}

fn descend(folder: &Path, above: &Settings, depth: usize, found: &mut Vec<Found>) {
    let settings = Settings::read(folder).or(above);
    if is_package(folder) {
        found.push(Found::at(folder, settings));
        return;
    }
    if depth == 0 {
        return;
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = paths
        .filter(|path| path.is_dir() && !is_hidden(path))
        .collect();
    folders.sort_by_cached_key(|path| order(path));
    for below in folders {
        descend(&below, &settings, depth - 1, found);
    }
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.starts_with('.'))
}

fn order(path: &Path) -> (u64, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (name.parse().unwrap_or(u64::MAX), name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_in_order() {
        let root = tempfile::tempdir().unwrap();
        let path = |below: &str| root.path().join(below);
        for folder in ["a/10", "a/9", "b", ".hidden", "c/1/model", "a/9/below"] {
            fs::create_dir_all(path(folder)).unwrap();
            fs::write(path(folder).join(MANIFEST_FILE), r#"{"name": "own"}"#).unwrap();
        }
        fs::write(path("c").join(SETTINGS_FILE), r#"{"name": "given"}"#).unwrap();
        fs::write(path("b").join(SETTINGS_FILE), "no JSON").unwrap();
        let found: Vec<_> = scan(root.path())
            .into_iter()
            .map(|found| (found.folder.clone(), found.title().unwrap()))
            .collect();
        let expected = [
            ("a/9", "own"),
            ("a/10", "own"),
            ("b", "own"),
            ("c/1/model", "given"),
        ];
        assert_eq!(
            found,
            expected.map(|(below, name)| (path(below), name.to_owned()))
        );
    }

    #[test]
    fn a_change_of_any_file_changes_the_stamp() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(MANIFEST_FILE), "1").unwrap();
        let before = Found::at(root.path(), Settings::default());
        assert_eq!(before, Found::at(root.path(), Settings::default()));
        fs::write(root.path().join("model.onnx"), "2").unwrap();
        assert_ne!(before, Found::at(root.path(), Settings::default()));
    }
}
