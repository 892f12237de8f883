//! The last successful model, as its package holds it.

use std::path::Path;

use anyhow::{Context, Result};
use model::{DATA_FILE, Inventory, Manifest, Package};

use crate::publication;

/// What is needed of a model to continue it.
pub(super) struct Last {
    pub(super) manifest: Manifest,
    /// The ONNX graph.
    pub(super) graph: Vec<u8>,
    /// What it was trained on looked like, where its package says that.
    pub(super) reference: Option<Vec<u8>>,
    /// The data files of its commit.
    pub(super) inventory: Inventory,
}

impl Last {
    /// Opens the package in `folder`, or in the folder `model` in it; none where it is
    /// absent or empty.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>> {
        let Some(folder) = &publication::package_in(folder) else {
            return Ok(None);
        };
        let package = Package::open(folder).context("cannot continue the last model")?;
        let manifest = package.manifest;
        let inventory = if manifest.files.contains_key(DATA_FILE) {
            Inventory::read(&folder.join(DATA_FILE))?
        } else {
            Inventory(manifest.provenance.data.clone())
        };
        Ok(Some(Self {
            graph: package.graph,
            reference: package.reference,
            manifest,
            inventory,
        }))
    }
}
