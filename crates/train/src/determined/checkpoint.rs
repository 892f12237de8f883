//! The checkpoint's files, on their way to `/pfs/out/checkpoint`.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use determined::{Best, Checkpoint, Client, Experiment};
use model::GRAPH_FILE;
use model::checkpoint::{self, Described, EXPORT_ADVICE};
use model::publish::PARTIAL_PREFIX;
use serde_json::Value;
use tempfile::TempDir;
use walkdir::{DirEntry, WalkDir};

use super::options::DeterminedOptions;
use super::secrets::Secrets;
use super::watch::page;
use super::whole::{self, Whole};
use crate::job::Job;
use crate::progress::{step, warn};
use crate::trial::storage_access;

/// The checkpoint's directory in `/pfs/out`.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// Where a `PyTorchTrial` keeps the whole configuration of its experiment.
const LOAD_DATA: &str = "load_data.json";

/// The largest text from which secrets are taken out, in bytes.
const LARGEST_TEXT: u64 = 16 << 20;

/// What a checkpoint holds.
pub(super) enum Delivered {
    /// A graph, of which a package has to be made.
    Graph(Box<Described>),
    /// A package of this job.
    Package(Box<Whole>),
}

/// The best checkpoint of a completed experiment.
pub(super) async fn best(client: &Client, experiment: &Experiment) -> Result<Checkpoint> {
    let (id, page) = (experiment.id, page(client, experiment.id));
    let metric = experiment.searcher_metric().unwrap_or("searcher.metric");
    match client.best_checkpoint(experiment).await? {
        Best::Scored(checkpoint, value) => {
            step(format_args!(
                "the best checkpoint of experiment {id} is {}: {metric} {value}",
                checkpoint.uuid
            ));
            Ok(*checkpoint)
        }
        Best::Unscored(_) => bail!(
            "experiment {id} has checkpoints, but none with a finite {metric}, so none is the best: report {metric} in a validation at the step of each checkpoint (see {page})"
        ),
        Best::None => bail!(
            "experiment {id} completed without a checkpoint: its training ended early, as on empty data or invalid hyperparameters; its log is above, and at {page}"
        ),
    }
}

/// Refuses a checkpoint that cannot be served.
pub(super) fn refuse_without_graph(checkpoint: &Checkpoint) -> Result<()> {
    if checkpoint.resources.contains_key(GRAPH_FILE) {
        return Ok(());
    }
    bail!(
        "checkpoint {} holds no {GRAPH_FILE}, so it cannot be served; {EXPORT_ADVICE}",
        checkpoint.uuid
    )
}

/// Downloads the checkpoint into `out`, where it appears whole, after what it can
/// serve is checked.
///
/// It is received below the temporary folder first: its files may hold the
/// experiment's configuration with credentials, and these must not reach `out`.
pub(super) async fn deliver(
    client: &Client,
    options: &DeterminedOptions,
    checkpoint: &Checkpoint,
    job: &Job,
    out: &Path,
    secrets: &mut Secrets,
) -> Result<Delivered> {
    secrets.learn_from(&checkpoint.training.experiment_config);
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let received = scratch.path().join(CHECKPOINT);
    let (from, access) = (options.checkpoint_from.into(), storage_access());
    client
        .download_from(from, &access, checkpoint, &received)
        .await?;
    let size: u64 = checkpoint.resources.values().sum();
    step(format_args!(
        "downloaded checkpoint {} of {size} bytes",
        checkpoint.uuid
    ));
    let load_data = received.join(LOAD_DATA);
    if let Some(document) = read_json(&load_data) {
        secrets.learn_from(&document);
    }
    let delivered = read(&received, job)
        .with_context(|| format!("checkpoint {} cannot be served", checkpoint.uuid))?;
    copy_clean(&received, &out.join(CHECKPOINT), out, secrets)?;
    Ok(delivered)
}

fn read(received: &Path, job: &Job) -> Result<Delivered> {
    Ok(match whole::read(received, job)? {
        Some(package) => Delivered::Package(Box::new(package)),
        None => Delivered::Graph(Box::new(checkpoint::read(received)?)),
    })
}

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn copy_clean(from: &Path, target: &Path, out: &Path, secrets: &Secrets) -> Result<()> {
    let aside = tempfile::Builder::new()
        .prefix(PARTIAL_PREFIX)
        .tempdir_in(out)
        .with_context(|| format!("cannot write below {}", out.display()))?;
    for entry in WalkDir::new(from).min_depth(1).sort_by_file_name() {
        let entry = entry.context("cannot read the downloaded checkpoint")?;
        let name = entry.path().strip_prefix(from).unwrap_or(entry.path());
        let to = aside.path().join(name);
        copy_entry(&entry, name, &to, secrets)
            .with_context(|| format!("checkpoint file {}", name.display()))?;
    }
    publish(aside, target)
}

fn copy_entry(entry: &DirEntry, name: &Path, to: &Path, secrets: &Secrets) -> Result<()> {
    if entry.file_type().is_dir() {
        fs::create_dir(to)?;
        return Ok(());
    }
    let path = entry.path();
    if name == Path::new(LOAD_DATA)
        && let Some(document) = read_json(path)
    {
        let masked = secrets.masked(&document);
        fs::write(to, serde_json::to_vec(&masked)?)?;
        return Ok(());
    }
    if !holds_secret(path, secrets)? {
        fs::copy(path, to)?;
        return Ok(());
    }
    let is_small = entry.metadata()?.len() <= LARGEST_TEXT;
    let text = is_small.then(|| fs::read_to_string(path).ok()).flatten();
    let Some(text) = text else {
        bail!(
            "it holds a password or token of this experiment, and is no text from which that could be taken out: do not save it with the model"
        );
    };
    warn(&format!(
        "took a password or token out of the checkpoint's {}",
        name.display()
    ));
    fs::write(to, secrets.mask(&text).as_bytes())?;
    Ok(())
}

/// Reads a file in pieces that overlap by the longest secret.
fn holds_secret(path: &Path, secrets: &Secrets) -> Result<bool> {
    const PIECE: u64 = 1 << 20;
    let mut file = File::open(path)?;
    let mut window = Vec::new();
    loop {
        let kept = window.len().min(secrets.longest());
        window.drain(..window.len() - kept);
        if file.by_ref().take(PIECE).read_to_end(&mut window)? == 0 {
            return Ok(false);
        }
        if secrets.is_in(&window) {
            return Ok(true);
        }
    }
}

fn publish(aside: TempDir, target: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary folders are private; the output is for other users too.
        fs::set_permissions(aside.path(), fs::Permissions::from_mode(0o755))?;
    }
    fs::rename(aside.path(), target)
        .with_context(|| format!("cannot rename into {}", target.display()))?;
    // It has its final name: nothing is left to clean up.
    let _ = aside.keep();
    Ok(())
}
