//! The version before, that a report compares with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use model::{DATA_FILE, Inventory, MANIFEST_FILE, Manifest};
use serde_json::Value;

use crate::TrainingOptions;
use crate::metrics::Previous;
use crate::progress::step;
use crate::publication::{METRICS_FILE, package_in};

/// The version before, and what it has learned from.
#[derive(Debug)]
pub(crate) struct Former {
    /// Its figures.
    pub(crate) figures: Previous,
    /// The digest of each of its data files.
    pub(crate) data: Inventory,
}

/// The version that the report of a package compares with, if with any.
///
/// # Errors
///
/// When its figures cannot be read.
pub(crate) fn compared_with(package: &Path) -> Result<Option<String>> {
    let metrics = metrics(package)?;
    let version = metrics.pointer("/previous/version").and_then(Value::as_str);
    Ok(version.map(str::to_owned))
}

/// The figures for programs of the package in `folder`.
fn metrics(folder: &Path) -> Result<Value> {
    let path = folder.join(METRICS_FILE);
    serde_json::from_slice(&bytes(&path)?).with_context(|| format!("{} is no JSON", path.display()))
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The package that `--previous` names, or the folder `model` in it. A folder that
/// is empty or absent holds none yet.
///
/// # Errors
///
/// When there is a package, and its description or figures cannot be read, or it is of
/// another model.
pub(crate) fn read(options: &TrainingOptions) -> Result<Option<Former>> {
    let Some(given) = &options.previous else {
        return Ok(None);
    };
    let given = options.below_pfs(given);
    let Some(folder) = package_in(&given) else {
        let given = given.display();
        step(format_args!(
            "there is no package in {given}: no version to compare with"
        ));
        return Ok(None);
    };
    let description = folder.join(MANIFEST_FILE);
    let manifest: Manifest = serde_json::from_slice(&bytes(&description)?)
        .with_context(|| format!("{} describes no package", description.display()))?;
    ensure!(
        manifest.name == options.model,
        "{} describes the model {:?}, and not an earlier version of {:?}: give another --previous, or none",
        description.display(),
        manifest.name,
        options.model
    );
    let metrics = metrics(&folder)?;
    let listed = folder.join(DATA_FILE);
    let data = match listed.exists() {
        true => Inventory::read(&listed)?,
        false => Inventory(manifest.provenance.data),
    };
    let rows = metrics.get("held_out_rows").and_then(Value::as_u64);
    Ok(Some(Former {
        figures: Previous {
            version: manifest.version,
            held_out_rows: usize::try_from(rows.unwrap_or_default())?,
            figures: manifest.metrics,
        },
        data,
    }))
}
