//! What came of it, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use model::{Digest, Manifest};
use serde::Serialize;

use super::compare::{Compared, State};
use super::inputs::Inputs;
use crate::engine::OPTION;

/// The result.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    package: String,
    name: String,
    version: String,
    digest: Digest,
    /// Whether every file was made again, byte for byte.
    pub(super) equal: bool,
    inputs: Inputs,
    files: BTreeMap<String, Compared>,
}

impl Verified {
    /// Of the package in `folder` with the description `manifest`.
    pub(super) fn new(
        folder: &Path,
        manifest: &Manifest,
        inputs: Inputs,
        files: BTreeMap<String, Compared>,
    ) -> Self {
        Self {
            package: folder.display().to_string(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: manifest.digest,
            equal: files.values().all(|file| file.state == State::Equal),
            inputs,
            files,
        }
    }

    /// One line for each file.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, file) in &self.files {
            let state = match file.state {
                State::Equal => "equal",
                State::Differs => "differs",
                State::Missing => "missing",
                State::Extra => "extra",
            };
            let _ = writeln!(text, "{state:<12}{name}");
        }
        text
    }

    /// The whole result as JSON.
    pub(super) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The result of a comparison that failed, in one sentence.
    pub(super) fn verdict(&self) -> String {
        let differ = self.files.values().filter(|f| f.state != State::Equal);
        format!(
            "{} of {} files of {} {} were not made again byte for byte{}",
            differ.count(),
            self.files.len(),
            self.name,
            self.version,
            self.advice()
        )
    }

    /// What to do about another engine, whose embeddings differ in their last digits.
    fn advice(&self) -> String {
        match self.inputs.engines() {
            Some((was, is)) => format!(
                ", as {was} has embedded what {is} embeds here: use the image that is recorded, or \
                 name that engine with {OPTION} and its library with --onnxruntime"
            ),
            None => String::new(),
        }
    }
}
