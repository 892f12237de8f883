//! What a training has made, as metrics and a checkpoint of a trial.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use determined::{CheckpointStore, Client, Error, MetricGroup, StorageAccess, Trial};
use model::GRAPH_FILE;
use serde_json::{Map, Value};

use crate::job::{Job, TRAINED_BY};
use crate::progress::step;
use crate::publication::{Out, PACKAGE, Published};

/// The only step: a training is one whole.
const STEP: u64 = 1;

/// The key of a checkpoint's metadata that names the version.
const VERSION: &str = "version";
/// The key that names the model.
const MODEL: &str = "model";

/// The metric that is the least for the best model, whatever the task.
pub(crate) const LOSS: &str = "loss";

/// What a training has made.
pub(crate) struct Made {
    /// The files of the package.
    files: BTreeMap<String, Vec<u8>>,
    learned: BTreeMap<String, f64>,
    validation: BTreeMap<String, f64>,
}

impl Made {
    /// Makes the package.
    pub(crate) fn of(published: Published<'_>) -> Result<Self> {
        let learned = published.learned.clone();
        let mut validation = published.metrics.summary();
        validation.insert(LOSS.to_owned(), published.metrics.loss());
        let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
        published.write(Out::only(scratch.path()))?;
        let mut files = BTreeMap::new();
        let folder = scratch.path().join(PACKAGE);
        for entry in fs::read_dir(&folder).context("cannot read the package")? {
            let path = entry.context("cannot read the package")?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let content = fs::read(&path).context("cannot read the package")?;
            files.insert(name.into_owned(), content);
        }
        Ok(Self {
            files,
            learned,
            validation,
        })
    }
}

/// Reports the metrics, stores the package as a checkpoint and reports that; gives
/// its UUID.
pub(crate) async fn record(
    trial: &Trial,
    store: &CheckpointStore,
    made: Made,
    job: &Job,
) -> Result<String> {
    trial.report_progress(0.9).await?;
    trial
        .report_metrics(MetricGroup::Training, STEP, &made.learned)
        .await?;
    trial
        .report_metrics(MetricGroup::Validation, STEP, &made.validation)
        .await?;
    let metadata = [
        ("framework", TRAINED_BY),
        ("format", "onnx"),
        (MODEL, &job.model),
        (VERSION, &job.version),
    ];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), Value::from(value)));
    let stored = store.write(made.files, STEP, Map::from_iter(metadata));
    let checkpoint = stored.await.context("cannot save the checkpoint")?;
    trial.report_checkpoint(&checkpoint).await?;
    step(format_args!("saved checkpoint {}", checkpoint.uuid));
    trial.report_progress(1.0).await?;
    Ok(checkpoint.uuid)
}

/// What opens a storage in a cloud, of the environment.
pub(crate) fn storage_access() -> StorageAccess {
    let variables = std::env::vars_os();
    StorageAccess::from_variables(
        variables.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    )
}

/// Whether a checkpoint is what a training of this job would make.
pub(crate) async fn is_whole(client: &Client, uuid: &str, job: &Job) -> Result<bool> {
    let found = match client.checkpoint(uuid).await {
        Ok(found) => found,
        Err(Error::NotFound(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let is =
        |key: &str, value: &str| found.metadata.get(key).and_then(Value::as_str) == Some(value);
    Ok(is(MODEL, &job.model)
        && is(VERSION, &job.version)
        && found.resources.contains_key(GRAPH_FILE))
}
