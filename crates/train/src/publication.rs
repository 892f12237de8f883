//! The package first, then the registry, `model-info.yaml` last, each whole or not at
//! all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use model::{
    Candidate, Digest, GRAPH_FILE, MODEL_INFO_FILE, Manifest, ModelInfo, Package, Preprocessing,
    Provenance, RegistryEntry, write_package,
};
use registry::Version;
use serde::Serialize;

use crate::data::Target;
use crate::graph;
use crate::job::Job;
use crate::metrics::Metrics;
use crate::progress::step;
use crate::registering::Registering;
use crate::report::Report;

/// The package's directory in `/pfs/out`.
pub(crate) const PACKAGE: &str = "model";

/// The page for people in the package.
pub(crate) const REPORT_FILE: &str = "report.html";

/// The figures for programs in the package.
pub(crate) const METRICS_FILE: &str = "metrics.json";

/// The directory of a package that was not promoted.
const CANDIDATE: &str = "candidate";

/// The folder of the package that somebody names: `given`, or `model` in it, as in the
/// output of a run. None where that is absent or empty, as before the first version.
pub(crate) fn package_in(given: &Path) -> Option<PathBuf> {
    let below = given.join(PACKAGE);
    let folder = if below.is_dir() {
        below
    } else {
        given.to_owned()
    };
    let is_empty = |mut entries: fs::ReadDir| entries.next().is_none();
    let nothing = match fs::read_dir(&folder) {
        Ok(entries) => is_empty(entries),
        Err(_) => !folder.exists(),
    };
    (!nothing).then_some(folder)
}

/// What an earlier run has left in the output folder.
pub(crate) enum Former {
    /// All that it was to publish.
    Done(Box<ModelInfo>),
    /// A whole package that was not promoted, and maybe nothing else yet.
    Candidate(Box<Manifest>),
}

/// Looks at the output folder before anything is computed: it must be there, and
/// be empty of models. What an earlier run has published whole is given back.
pub(crate) fn check(out: &Path) -> Result<Option<Former>> {
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
        return Ok(Some(Former::Done(Box::new(info))));
    }
    let candidate = out.join(CANDIDATE);
    if candidate.symlink_metadata().is_ok() {
        let found = Package::open(&candidate)?;
        return Ok(Some(Former::Candidate(Box::new(found.manifest))));
    }
    if package.symlink_metadata().is_ok() {
        bail!(
            "{} is left over from a run that did not finish: remove it, and train again",
            package.display()
        );
    }
    Ok(None)
}

impl Former {
    /// What is published is never replaced.
    pub(crate) fn refuse_other(&self, job: &Job, out: &Path) -> Result<()> {
        let (name, version) = match self {
            Self::Done(info) => {
                let candidate = info.candidate.as_ref();
                let version = candidate.map_or(&info.version, |candidate| &candidate.version);
                (&info.name, version)
            }
            Self::Candidate(manifest) => (&manifest.name, &manifest.version),
        };
        ensure!(
            *name == job.model && *version == job.version,
            "{} holds {name} {version} already: give an empty output folder",
            out.display(),
        );
        Ok(())
    }
}

/// Where a run publishes.
#[derive(Clone, Copy)]
pub(crate) struct Out<'a> {
    /// The folder that becomes the output commit.
    pub(crate) folder: &'a Path,
    /// The registry, if there is one.
    pub(crate) registering: Option<&'a Registering>,
}

impl<'a> Out<'a> {
    /// A folder, and no registry.
    pub(crate) fn only(folder: &'a Path) -> Self {
        Self {
            folder,
            registering: None,
        }
    }
}

/// What was published.
pub(crate) struct Outcome {
    pub(crate) model: String,
    pub(crate) version: String,
    pub(crate) metrics: BTreeMap<String, f64>,
    /// The folder of the package.
    pub(crate) package: PathBuf,
    /// Where it stands in the registry, and which that is.
    pub(crate) registered: Option<(Version, String)>,
    /// Whether a version is to be served: this one, or the one before.
    pub(crate) has_info: bool,
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
    /// Writes everything to `out`.
    pub(crate) fn write(self, out: Out<'_>) -> Result<Outcome> {
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

/// Writes a package to `out`, and what names the version that is to be served last.
pub(crate) fn write(
    manifest: Manifest,
    files: &BTreeMap<String, Vec<u8>>,
    job: &Job,
    out: Out<'_>,
) -> Result<Outcome> {
    let metrics = manifest.metrics.clone();
    let package = out.folder.join(PACKAGE);
    let digest = write_package(&package, manifest, files)?;
    step(format_args!("wrote the package {digest}"));
    out.complete(job, metrics, digest).inspect_err(|_| {
        // Without the document the packages would be half a publication.
        for folder in [PACKAGE, CANDIDATE] {
            let _ = fs::remove_dir_all(out.folder.join(folder));
        }
    })
}

impl Out<'_> {
    /// Publishes the package that lies in the output folder to the registry, if there
    /// is one, and writes the document.
    fn complete(
        self,
        job: &Job,
        metrics: BTreeMap<String, f64>,
        digest: Digest,
    ) -> Result<Outcome> {
        let package = self.folder.join(PACKAGE);
        let registered = match self.registering {
            Some(registering) => {
                let version = registering.publish(&package)?.version;
                if !version.promotion.promoted {
                    let candidate = self.folder.join(CANDIDATE);
                    fs::rename(&package, &candidate)
                        .with_context(|| format!("cannot rename into {}", candidate.display()))?;
                    return self.keep_promoted(job, registering, version);
                }
                Some((version, registering.url().to_owned()))
            }
            None => None,
        };
        let names = [&job.model, &job.version, &job.pipeline, &job.repo];
        let [name, version, pipeline, repo] = names.map(String::clone);
        let mut info = ModelInfo::new(name, version, pipeline, repo);
        info.uri.clone_from(&job.uri);
        info.digest = Some(digest);
        info.data_commit.clone_from(&job.data_commit);
        info.metrics.clone_from(&metrics);
        info.registry = registered
            .as_ref()
            .map(|(version, url)| entry(version, url));
        info.write(&self.folder.join(MODEL_INFO_FILE))?;
        Ok(Outcome {
            model: info.name,
            version: info.version,
            metrics,
            package,
            registered,
            has_info: true,
        })
    }

    /// Publishes what lies whole in the output folder to the registry as well.
    pub(crate) fn register(self, job: &Job) -> Result<Outcome> {
        let manifest = Package::open(&self.folder.join(PACKAGE))?.manifest;
        // Until it is written again, it would name no registry.
        let info = self.folder.join(MODEL_INFO_FILE);
        fs::remove_file(&info).with_context(|| format!("cannot remove {}", info.display()))?;
        self.complete(job, manifest.metrics, manifest.digest)
    }

    /// Goes on where a run ended that had published a version which was not promoted.
    pub(crate) fn resume(self, job: &Job) -> Result<Outcome> {
        let candidate = self.folder.join(CANDIDATE);
        let registering = self.registering.with_context(|| {
            format!(
                "{} is of a run with --registry: give it again, or remove the folder",
                candidate.display()
            )
        })?;
        let version = registering.publish(&candidate)?.version;
        ensure!(
            !version.promotion.promoted,
            "{} holds version {} of {}, which is promoted there: remove the folder, and train again",
            candidate.display(),
            version.number,
            registering.url()
        );
        self.keep_promoted(job, registering, version)
    }

    /// Lets the output be that of the version that goes on being served, so that
    /// whoever deploys it finds nothing to do. Until one is promoted, there is none.
    fn keep_promoted(
        self,
        job: &Job,
        registering: &Registering,
        candidate: Version,
    ) -> Result<Outcome> {
        let url = registering.url().to_owned();
        let promoted = registering.promoted(&candidate)?;
        let has_info = promoted.is_some();
        if let Some(promoted) = promoted {
            let package = self.folder.join(PACKAGE);
            if package.symlink_metadata().is_err() {
                registering.fetch(&promoted, &package)?;
            }
            let manifest = Package::open_pinned(&package, promoted.package)?.manifest;
            let Provenance {
                pipeline,
                repo,
                data_commit,
                ..
            } = manifest.provenance;
            let mut info = ModelInfo::new(manifest.name, manifest.version, pipeline, repo);
            info.uri.clone_from(&job.uri);
            info.digest = Some(manifest.digest);
            info.data_commit = data_commit;
            info.metrics = manifest.metrics;
            info.registry = Some(entry(&promoted, &url));
            info.candidate = Some(Candidate {
                version: candidate.name.clone(),
                number: candidate.number,
                reason: candidate.promotion.reason.clone(),
            });
            info.write(&self.folder.join(MODEL_INFO_FILE))?;
        }
        Ok(Outcome {
            model: candidate.model.clone(),
            version: candidate.name.clone(),
            metrics: candidate.metrics.clone(),
            package: self.folder.join(CANDIDATE),
            registered: Some((candidate, url)),
            has_info,
        })
    }
}

fn entry(version: &Version, url: &str) -> RegistryEntry {
    RegistryEntry {
        url: url.to_owned(),
        number: version.number,
        reason: version.promotion.reason.clone(),
    }
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
