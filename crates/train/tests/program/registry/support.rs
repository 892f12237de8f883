//! A registry, and jobs that publish to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use bucket_server::Bucket;
use model::Package;
use registry::{Asked, Error, Registry, Version};
use storage::Access;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::common::{Pfs, mixed_csv, texts};

/// The settings of a training that takes little time.
const QUICK: &str = "search: {models: [linear]}\npromote_if: accuracy >= previous\n";

/// A registry of one kind.
pub(crate) struct Case {
    pub(crate) url: String,
    variables: Vec<(String, String)>,
    pub(crate) root: TempDir,
    pub(crate) bucket: Option<Bucket>,
    runtime: Runtime,
    registry: Registry,
}

impl Case {
    /// `file`, or the scheme of a cloud.
    pub(crate) fn new(scheme: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (mut url, mut variables, mut bucket) = (
            format!("file://{}", root.path().display()),
            Vec::new(),
            None,
        );
        if scheme != "file" {
            let started = Bucket::start(BTreeMap::new());
            let mut clouds = started.clouds().into_iter();
            variables = clouds.find(|(cloud, _)| *cloud == scheme).unwrap().1;
            url = format!("{scheme}://models/team");
            bucket = Some(started);
        }
        let runtime = Runtime::new().unwrap();
        let access = Access::from_variables(variables.clone());
        let registry = runtime.block_on(Registry::open(&url, &access)).unwrap();
        Self {
            url,
            variables,
            root,
            bucket,
            runtime,
            registry,
        }
    }

    /// The job `id`, with an empty output folder.
    pub(crate) fn job(&self, id: &str, pfs: &Pfs) -> Command {
        let mut command = pfs.command();
        command
            .args(["--config", "/pfs/e.yaml", "--registry", &self.url])
            .env("PACH_JOB_ID", id)
            .envs(self.variables.clone());
        command
    }

    /// Runs the job `id`, which must succeed; gives standard output and error.
    pub(crate) fn publishes(&self, id: &str, pfs: &Pfs) -> (String, String) {
        let output = self.job(id, pfs).output().unwrap();
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        (out, err)
    }

    /// The latest version, whose every file is there and is what it was; none where
    /// nothing is published.
    pub(crate) fn latest(&self) -> Option<Version> {
        let found = self
            .runtime
            .block_on(self.registry.find("iris", &Asked::Latest));
        let version = match found {
            Ok(version) => version,
            Err(Error::NoModel { .. }) => return None,
            Err(error) => panic!("{error}"),
        };
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("model");
        let fetched = self.registry.fetch(&version, &target);
        self.runtime.block_on(fetched).unwrap();
        let package = Package::open_pinned(&target, version.package).unwrap();
        assert_eq!(package.manifest.version, version.name);
        Some(version)
    }
}

/// Data and settings of a quick training.
pub(crate) fn quick() -> Pfs {
    Pfs::with_csv(mixed_csv()).file("e.yaml", QUICK)
}

/// What the output says is to be served: name and number.
pub(crate) fn served(out: &Path) -> (String, u64) {
    let info = model::ModelInfo::read(&out.join("model-info.yaml")).unwrap();
    let package = Package::open_pinned(&out.join("model"), info.digest.unwrap()).unwrap();
    assert_eq!(package.manifest.version, info.version);
    (info.version, info.registry.unwrap().number)
}
