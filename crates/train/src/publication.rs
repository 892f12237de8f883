//! The package first, `model-info.yaml` last, each whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use model::{
    Digest, GRAPH_FILE, MODEL_INFO_FILE, Manifest, ModelInfo, Package, Preprocessing, write_package,
};
use serde::Serialize;

use crate::data::Target;
use crate::graph;
use crate::job::Job;
use crate::metrics::Metrics;
use crate::progress::step;
use crate::report::Report;

/// The package's directory in `/pfs/out`.
pub(crate) const PACKAGE: &str = "model";

/// The page for people in the package.
pub(crate) const REPORT_FILE: &str = "report.html";

/// The figures for programs in the package.
pub(crate) const METRICS_FILE: &str = "metrics.json";

/// Looks at the output folder before anything is computed: it must be there, and
/// be empty of models. What an earlier run has published whole is given back.
pub(crate) fn check(out: &Path) -> Result<Option<ModelInfo>> {
    ensure!(
        out.is_dir(),
        "there is no output folder {}: create it, or name its parent with --pfs",
        out.display()
    );
    let package = out.join(PACKAGE);
    let info = out.join(MODEL_INFO_FILE);
    if info.exists() {
        let info = ModelInfo::read(&info)?;
        Package::open(&package)
            .context("model-info.yaml is there, but its package is not whole")?;
        return Ok(Some(info));
    }
    if package.symlink_metadata().is_ok() {
        bail!(
            "{} is left over from a run that did not finish: remove it, and train again",
            package.display()
        );
    }
    Ok(None)
}

/// What is published is never replaced.
pub(crate) fn refuse_other(info: &ModelInfo, job: &Job, out: &Path) -> Result<()> {
    ensure!(
        info.name == job.model && info.version == job.version,
        "{} holds {} {} already: give an empty output folder",
        out.display(),
        info.name,
        info.version
    );
    Ok(())
}

/// All that a run publishes.
pub(crate) struct Published<'a, M = Metrics> {
    /// The ONNX graph.
    pub(crate) graph: Vec<u8>,
    /// The page for people.
    pub(crate) page: String,
    /// The figures for programs.
    pub(crate) metrics: M,
    /// How the training went, in numbers; they are not published.
    pub(crate) learned: BTreeMap<String, f64>,
    /// The description; what the package's writer fills in may be empty.
    pub(crate) manifest: Manifest,
    /// What names and places the model.
    pub(crate) job: &'a Job,
    /// Further files of the package.
    pub(crate) more: BTreeMap<String, Vec<u8>>,
}

impl<M: Serialize> Published<'_, M> {
    /// Writes everything below `out`; gives what model-info.yaml says.
    pub(crate) fn write(self, out: &Path) -> Result<ModelInfo> {
        let (manifest, job) = (self.manifest, self.job);
        let mut metrics = serde_json::to_vec_pretty(&self.metrics)?;
        metrics.push(b'\n');
        let mut files = self.more;
        files.insert(GRAPH_FILE.to_owned(), self.graph);
        files.insert(METRICS_FILE.to_owned(), metrics);
        files.insert(REPORT_FILE.to_owned(), self.page.into_bytes());
        write(manifest, &files, job, out)
    }
}

/// Writes a package, and then model-info.yaml, below `out`; gives what that says.
pub(crate) fn write(
    manifest: Manifest,
    files: &BTreeMap<String, Vec<u8>>,
    job: &Job,
    out: &Path,
) -> Result<ModelInfo> {
    let metrics = manifest.metrics.clone();
    let package = out.join(PACKAGE);
    let digest = write_package(&package, manifest, files)?;
    step(format_args!("wrote the package {digest}"));
    let [name, version, pipeline, repo] =
        [&job.model, &job.version, &job.pipeline, &job.repo].map(String::clone);
    let mut info = ModelInfo::new(name, version, pipeline, repo);
    info.uri.clone_from(&job.uri);
    info.digest = Some(digest);
    info.data_commit.clone_from(&job.data_commit);
    info.metrics = metrics;
    if let Err(error) = info.write(&out.join(MODEL_INFO_FILE)) {
        // Without the document the package would be half a publication.
        let _ = std::fs::remove_dir_all(&package);
        return Err(error.into());
    }
    Ok(info)
}

/// The description of a table's model.
pub(crate) fn manifest(report: &Report<'_>) -> Result<Manifest> {
    let Report {
        job,
        experiment,
        texts,
        data,
        fitted,
        metrics,
        ..
    } = report;
    let labels = match &data.target {
        Target::Classes { labels, .. } => labels.clone(),
        Target::Numbers(_) => Vec::new(),
    };
    Ok(Manifest {
        name: job.model.clone(),
        version: job.version.clone(),
        target: data.target_name.clone(),
        labels,
        inputs: vec![graph::input(data.table.columns.len())],
        outputs: vec![graph::output(&fitted.linear)],
        preprocessing: Preprocessing::Table(data.table.clone()),
        metrics: metrics.summary(),
        provenance: job.provenance(&texts.inventory(), *experiment)?,
        task: data.task(),
        // `write_package` fills in the rest.
        format: String::new(),
        format_version: 0,
        digest: Digest::of(&[]),
        files: BTreeMap::new(),
    })
}
