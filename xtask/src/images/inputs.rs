//! Everything that an image follows from, as digests: the decision whether to
//! build compares them with those of the last build.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use super::seal::hex;
use crate::cargo::Graph;
use crate::workspace::{Image, Workspace};

/// Raised when xtask makes images in another way than before.
const RECIPE: u32 = 3;

/// The inputs of one image, each with the digest of its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// Files of the crate and of the workspace's crates it needs.
    sources: BTreeMap<String, String>,
    /// Packages from elsewhere: version and features.
    dependencies: BTreeMap<String, String>,
    container_file: String,
    /// Compiler, flags, profile and the way xtask works.
    tools: String,
    /// Version and labels.
    labels: String,
    /// What the program loads; empty where that is nothing.
    libraries: String,
}

/// What all images have in common.
pub(crate) struct Common<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) graph: &'a Graph,
    /// What `rustc -vV` says, and the flags that do not depend on the place.
    pub(crate) compiler: String,
    pub(crate) platform: &'a str,
}

impl Inputs {
    /// Reads the inputs of `image`. `seen` are files that the compiler read the
    /// last time, and folders that a build script asked cargo to watch; `libraries` the
    /// digest of what the program loads.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn of(
        common: &Common<'_>,
        image: &Image,
        seen: &[PathBuf],
        libraries: String,
    ) -> Result<Self> {
        let root = &common.workspace.root;
        let member = common.graph.member(&image.name)?;
        let mut sources = BTreeMap::new();
        let mut dependencies = BTreeMap::new();
        for package in common.graph.closure(member) {
            if package.source.is_some() {
                let key = format!("{} {}", package.name, package.version);
                let source = package.source.as_deref().unwrap_or_default();
                let value = format!("{source} {}", package.features.join(","));
                dependencies.insert(key, value);
            } else {
                let features = format!("features of {}", package.name);
                dependencies.insert(features, package.features.join(","));
                let folder = package.manifest.parent().unwrap_or(root);
                crate_files(root, folder, &mut sources)?;
            }
        }
        for path in seen.iter().filter(|path| path.exists()) {
            everything(root, path, &mut sources)?;
        }
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let tools = [
            common.compiler.clone(),
            common.platform.to_owned(),
            common.workspace.profile.clone(),
            text(&root.join(".cargo/config.toml")),
            RECIPE.to_string(),
        ];
        let labels = [
            image.version.to_string(),
            member.description.clone().unwrap_or_default(),
            member.license.clone().unwrap_or_default(),
            member.repository.clone().unwrap_or_default(),
        ];
        Ok(Self {
            sources,
            dependencies,
            container_file: digest(&fs::read(common.workspace.dockerfile(&image.name))?),
            tools: digest(tools.join("\0").as_bytes()),
            labels: digest(labels.join("\0").as_bytes()),
            libraries,
        })
    }

    /// What differs from `before`, in words.
    pub(crate) fn differences(&self, before: &Self) -> Vec<String> {
        let mut reasons = Vec::new();
        let difference = |now: &BTreeMap<String, String>, before: &BTreeMap<String, String>| {
            let changed = now
                .iter()
                .find(|(key, value)| before.get(*key) != Some(value));
            let gone = before.keys().find(|key| !now.contains_key(*key));
            changed.map(|(key, _)| key.clone()).or(gone.cloned())
        };
        if let Some(file) = difference(&self.sources, &before.sources) {
            reasons.push(format!("source changed: {file}"));
        }
        if let Some(package) = difference(&self.dependencies, &before.dependencies) {
            reasons.push(format!("dependency changed: {package}"));
        }
        for (now, before, reason) in [
            (
                &self.container_file,
                &before.container_file,
                "container file changed",
            ),
            (
                &self.tools,
                &before.tools,
                "compiler, flags or platform changed",
            ),
            (&self.labels, &before.labels, "version or labels changed"),
            (
                &self.libraries,
                &before.libraries,
                "ONNX Runtime or the C library changed",
            ),
        ] {
            if now != before {
                reasons.push(reason.to_owned());
            }
        }
        reasons
    }

    /// Whether a build with these inputs and the same program gives the same
    /// image.
    pub(crate) fn same_image(&self, before: &Self) -> bool {
        self.container_file == before.container_file
            && self.labels == before.labels
            && self.libraries == before.libraries
    }

    /// The files of the workspace among the inputs.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }
}

/// Adds what cargo may compile of a crate; its tests and the like are not part
/// of the program.
fn crate_files(root: &Path, folder: &Path, to: &mut BTreeMap<String, String>) -> Result<()> {
    const OTHER: [&str; 4] = ["tests", "benches", "examples", "target"];
    let walk = WalkDir::new(folder).into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        let other = entry.depth() == 1 && OTHER.contains(&name.as_ref());
        entry.depth() == 0 || !(other || name.starts_with('.'))
    });
    files(root, folder, walk, to)
}

/// Adds a file, or all files below a folder.
fn everything(root: &Path, path: &Path, to: &mut BTreeMap<String, String>) -> Result<()> {
    files(root, path, WalkDir::new(path), to)
}

fn files(
    root: &Path,
    below: &Path,
    walk: impl IntoIterator<Item = walkdir::Result<DirEntry>>,
    to: &mut BTreeMap<String, String>,
) -> Result<()> {
    for entry in walk {
        let entry = entry.with_context(|| format!("cannot read {}", below.display()))?;
        if entry.file_type().is_file() {
            add(root, entry.path(), to)?;
        }
    }
    Ok(())
}

fn add(root: &Path, path: &Path, to: &mut BTreeMap<String, String>) -> Result<()> {
    let name = path
        .strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string();
    if let Entry::Vacant(place) = to.entry(name) {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        place.insert(digest(&bytes));
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The files that the compiler read for a binary, from cargo's `NAME.d`.
pub(crate) fn dependency_info(text: &str) -> Vec<PathBuf> {
    let Some((_, files)) = text.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    // make's way: a blank within a name has a backslash before it.
    let mut names = vec![String::new()];
    let mut chars = files.chars();
    while let Some(c) = chars.next() {
        match (c, names.last_mut()) {
            ('\\', Some(name)) => name.extend(chars.next()),
            (' ', _) => names.push(String::new()),
            (c, Some(name)) => name.push(c),
            (_, None) => {}
        }
    }
    names
        .into_iter()
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        let map = |key: &str| BTreeMap::from([(key.to_owned(), "1".to_owned())]);
        Inputs {
            sources: map("crates/serve/src/main.rs"),
            dependencies: map("axum 0.8.1"),
            container_file: "1".to_owned(),
            tools: "1".to_owned(),
            labels: "1".to_owned(),
            libraries: String::new(),
        }
    }

    #[test]
    fn names_what_differs() {
        let before = inputs();
        assert_eq!(before.differences(&before), Vec::<String>::new());
        let mut now = inputs();
        now.sources
            .insert("crates/serve/src/new.rs".to_owned(), "2".to_owned());
        assert_eq!(
            now.differences(&before),
            ["source changed: crates/serve/src/new.rs"]
        );
        assert_eq!(
            before.differences(&now),
            ["source changed: crates/serve/src/new.rs"]
        );
        now = inputs();
        now.dependencies.clear();
        now.container_file = "2".to_owned();
        let wanted = ["dependency changed: axum 0.8.1", "container file changed"];
        assert_eq!(now.differences(&before), wanted);
    }

    #[test]
    fn a_watched_folder_counts_by_its_files() {
        let root = tempfile::tempdir().unwrap();
        let proto = root.path().join("proto");
        fs::create_dir_all(proto.join("deep")).unwrap();
        fs::write(proto.join("deep/a.proto"), "a").unwrap();
        fs::write(root.path().join("b.rs"), "b").unwrap();
        let mut found = BTreeMap::new();
        for path in [proto, root.path().join("b.rs")] {
            everything(root.path(), &path, &mut found).unwrap();
        }
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["b.rs", "proto/deep/a.proto"]);
    }

    #[test]
    fn reads_what_cargo_writes_for_make() {
        let text = "/t/serve: /a/src/main.rs /a/with\\ blank.txt\n\n/a/src/main.rs:\n";
        let wanted = [PathBuf::from("/a/src/main.rs"), "/a/with blank.txt".into()];
        assert_eq!(dependency_info(text), wanted);
        assert_eq!(dependency_info(""), Vec::<PathBuf>::new());
    }
}
