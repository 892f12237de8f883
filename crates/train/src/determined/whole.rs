//! A checkpoint that is a package already, as `train trial` saves it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use model::checkpoint::holds_package;
use model::{Manifest, Package};

use crate::job::Job;

/// A package of this job.
pub(super) struct Whole {
    pub(super) manifest: Manifest,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// Reads the package in `folder`, every file verified; none where the folder has no
/// package, but files of which one has to be made.
pub(super) fn read(folder: &Path, job: &Job) -> Result<Option<Whole>> {
    if !holds_package(folder)? {
        return Ok(None);
    }
    let manifest = Package::open(folder)?.manifest;
    ensure!(
        manifest.name == job.model && manifest.version == job.version,
        "it is the package of {} {}, and not of this job",
        manifest.name,
        manifest.version
    );
    let mut files = BTreeMap::new();
    for name in manifest.files.keys() {
        let content = fs::read(folder.join(name)).with_context(|| name.clone())?;
        files.insert(name.clone(), content);
    }
    Ok(Some(Whole { manifest, files }))
}
