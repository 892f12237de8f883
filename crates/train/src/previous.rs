//! The version before, that a report compares with.

use std::fs;

use anyhow::{Context, Result, ensure};
use model::{DATA_FILE, Inventory, MANIFEST_FILE, Manifest};
use serde_json::Value;

use crate::TrainingOptions;
use crate::metrics::Previous;
use crate::progress::step;
use crate::publication::{METRICS_FILE, PACKAGE};

/// The version before, and what it has learned from.
#[derive(Debug)]
pub(crate) struct Former {
    /// Its figures.
    pub(crate) figures: Previous,
    /// The digest of each of its data files.
    pub(crate) data: Inventory,
}

/// The package that `--previous` names, or the folder `model` in it. A folder that
/// is empty or absent holds none yet.
///
/// # Errors
///
/// When there is a package, and its description or figures cannot be read, or it is of
/// another model.
pub(crate) fn read(options: &TrainingOptions) -> Result<Option<Former>> {
    let given = options.previous.as_deref();
    let Some(given) = given.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(None);
    };
    let given = options.below_pfs(given);
    let below = given.join(PACKAGE);
    let folder = if below.is_dir() { below } else { given };
    let description = folder.join(MANIFEST_FILE);
    if !description.exists() {
        let folder = folder.display();
        step(format_args!(
            "there is no package in {folder}: no version to compare with"
        ));
        return Ok(None);
    }
    let read = |path: &std::path::Path| {
        fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let manifest: Manifest = serde_json::from_slice(&read(&description)?)
        .with_context(|| format!("{} describes no package", description.display()))?;
    ensure!(
        manifest.name == options.model,
        "{} describes the model {:?}, and not an earlier version of {:?}: give another --previous, or none",
        description.display(),
        manifest.name,
        options.model
    );
    let path = folder.join(METRICS_FILE);
    let metrics: Value = serde_json::from_slice(&read(&path)?)
        .with_context(|| format!("{} is no JSON", path.display()))?;
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
