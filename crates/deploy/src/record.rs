//! `/pfs/out/deployment.json`: what was deployed, where, and how that is known.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use model::{Digest, ModelInfo, RegistryEntry, publish};
use serde::Serialize;

use crate::json::{number, text};
use crate::rollout::{Done, Evidence, Expected, Status};
use crate::target::DetectorChange;

/// The file in `/pfs/out`.
const RECORD_FILE: &str = "deployment.json";

/// One deployment that ended well.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    deployed_by: &'static str,
    target: &'static str,
    place: String,
    kind: String,
    name: String,
    generation: i64,
    model: ModelRecord,
    image: Vec<String>,
    url: String,
    /// Whether anything was written.
    changed: bool,
    /// How it is known that the version answers; empty where only a manifest was
    /// written.
    evidence: Vec<Evidence>,
    detectors: Vec<DetectorRecord>,
    /// Seconds since 1970, UTC.
    started_at: u64,
    duration_seconds: f64,
}

#[derive(Debug, Serialize)]
struct ModelRecord {
    name: String,
    version: String,
    pipeline: String,
    repo: String,
    uri: Option<String>,
    digest: Option<Digest>,
    data_commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<RegistryEntry>,
}

/// What was done about a detector.
#[derive(Debug, Serialize)]
pub(crate) struct DetectorRecord {
    pub(crate) kind: &'static str,
    pub(crate) change: DetectorChange,
}

impl Record {
    pub(crate) fn new(
        target: &'static str,
        place: &str,
        info: &ModelInfo,
        done: &Done,
        detectors: Vec<DetectorRecord>,
    ) -> Self {
        let expected = Expected::of(&done.object);
        let status = Status::of(expected.kind, &done.object);
        let images = expected.predictors.iter().map(|p| p.image.clone());
        Self {
            deployed_by: concat!("deploy ", env!("CARGO_PKG_VERSION")),
            target,
            place: place.to_owned(),
            kind: text(&done.object, "/kind").to_owned(),
            name: expected.name.clone(),
            generation: number(&done.object, "/metadata/generation"),
            model: ModelRecord {
                name: info.name.clone(),
                version: info.version.clone(),
                pipeline: info.pipeline.clone(),
                repo: info.repo.clone(),
                uri: info.uri.clone(),
                digest: info.digest,
                data_commit: info.data_commit.clone(),
                registry: info.registry.clone(),
            },
            image: images.collect(),
            url: status.url,
            changed: done.changed,
            evidence: done.evidence.clone(),
            detectors,
            started_at: 0,
            duration_seconds: 0.0,
        }
    }

    /// Where predictions are answered, within the cluster.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn timed(mut self, started: SystemTime, seconds: f64) -> Self {
        let since = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.started_at = since.as_secs();
        self.duration_seconds = (seconds * 1000.0).round() / 1000.0;
        self
    }

    pub(crate) fn write(&self, out: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        publish::write_file(&out.join(RECORD_FILE), text.as_bytes())
            .context("what was to be done is done, but cannot be recorded")
    }
}
