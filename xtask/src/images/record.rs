//! What the last build of an image was made of, kept in the target folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::inputs::Inputs;

/// The last build.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) inputs: Inputs,
    /// Files outside of the crates that the compiler read.
    pub(crate) seen: Vec<PathBuf>,
    /// Of the program, as it went into the image.
    pub(crate) program: String,
    /// Image ID.
    pub(crate) id: String,
    /// Bytes of the unpacked image.
    pub(crate) size: u64,
    /// What the image is, without the hour and the engine it was built with.
    pub(crate) content: Value,
}

impl Record {
    /// Reads the record; none when there is none or it is of another form, for
    /// building once more does no harm.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let text = fs::read(file(folder)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes it aside and renames it into place.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = file(folder);
        let aside = path.with_extension("new");
        let text = serde_json::to_vec(self)?;
        fs::write(&aside, text)
            .and_then(|()| fs::rename(&aside, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("record.json")
}
