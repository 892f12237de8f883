//! Two packages, file by file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use model::{Digest, MANIFEST_FILE, Package};
use serde::Serialize;

/// Whether a file of the package was made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// Byte for byte.
    Equal,
    /// With other bytes.
    Differs,
    /// It was not made.
    Missing,
    /// It is new.
    Extra,
}

/// A file of one or both packages.
#[derive(Debug, Serialize)]
pub(super) struct Compared {
    /// How the two relate.
    pub(super) state: State,
    /// The digest of the published one.
    pub(super) published: Option<Digest>,
    /// The digest of the one that was made again.
    pub(super) again: Option<Digest>,
}

/// Compares all files of the packages in two folders.
pub(super) fn files(published: &Path, again: &Path) -> Result<BTreeMap<String, Compared>> {
    let (published, again) = (digests(published)?, digests(again)?);
    let names: BTreeSet<&String> = published.keys().chain(again.keys()).collect();
    let compared = |name: &String| {
        let (published, again) = (published.get(name).copied(), again.get(name).copied());
        let state = match (published, again) {
            (Some(_), None) => State::Missing,
            (None, _) => State::Extra,
            (was, is) if was == is => State::Equal,
            _ => State::Differs,
        };
        let compared = Compared {
            state,
            published,
            again,
        };
        (name.clone(), compared)
    };
    Ok(names.into_iter().map(compared).collect())
}

/// The digest of each file of a package, its description included.
fn digests(folder: &Path) -> Result<BTreeMap<String, Digest>> {
    let description = folder.join(MANIFEST_FILE);
    let files = Package::open(folder)?.manifest.files.into_iter();
    let mut digests: BTreeMap<_, _> = files.map(|(name, entry)| (name, entry.digest)).collect();
    let content = fs::read(&description);
    let content = content.with_context(|| format!("cannot read {}", description.display()))?;
    digests.insert(MANIFEST_FILE.to_owned(), Digest::of(&content));
    Ok(digests)
}
