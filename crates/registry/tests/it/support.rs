//! Packages, and a registry of each kind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bucket_server::Bucket;
use model::{Digest, GRAPH_FILE, Manifest, Package, Preprocessing, Provenance, Table, Task};
use registry::{Asked, Condition, Published, Registry, Version};
use storage::Access;
use tempfile::TempDir;

/// A registry, and what its objects are in.
pub(crate) struct Case {
    pub(crate) registry: Registry,
    pub(crate) url: String,
    /// Of a registry in a folder.
    pub(crate) root: TempDir,
    /// Of one in a cloud.
    pub(crate) bucket: Option<Bucket>,
}

impl Case {
    pub(crate) async fn folder() -> Self {
        let root = tempfile::tempdir().unwrap();
        let url = format!("file://{}", root.path().display());
        Self::open(url, Vec::new(), root, None).await
    }

    /// The store of a cloud: `s3`, `gs` or `az`.
    pub(crate) async fn cloud(scheme: &str) -> Self {
        let bucket = Bucket::start(BTreeMap::new());
        let mut clouds = bucket.clouds().into_iter();
        let (_, variables) = clouds.find(|(cloud, _)| *cloud == scheme).unwrap();
        let url = format!("{scheme}://models/team");
        let root = tempfile::tempdir().unwrap();
        Self::open(url, variables, root, Some(bucket)).await
    }

    /// One of each kind.
    pub(crate) async fn all() -> Vec<Self> {
        let mut all = vec![Self::folder().await];
        for scheme in ["s3", "gs", "az"] {
            all.push(Self::cloud(scheme).await);
        }
        all
    }

    async fn open(
        url: String,
        variables: Vec<(String, String)>,
        root: TempDir,
        bucket: Option<Bucket>,
    ) -> Self {
        let access = Access::from_variables(variables);
        Self {
            registry: Registry::open(&url, &access).await.unwrap(),
            url,
            root,
            bucket,
        }
    }

    pub(crate) async fn publish(&self, name: &str, accuracy: f64, promote_if: &str) -> Published {
        let condition: Option<Condition> =
            (!promote_if.is_empty()).then(|| promote_if.parse().unwrap());
        let (_kept, folder) = package(name, accuracy);
        let published = self.registry.publish(&folder, condition.as_ref()).await;
        published.unwrap()
    }

    pub(crate) async fn latest(&self) -> Version {
        self.registry.find("iris", &Asked::Latest).await.unwrap()
    }

    /// Fetches the version, whose package must be whole; gives its name.
    pub(crate) async fn fetched(&self, version: &Version) -> String {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("model");
        self.registry.fetch(version, &target).await.unwrap();
        let package = Package::open_pinned(&target, version.package).unwrap();
        package.manifest.version
    }

    /// Does with an object's content what `change` says.
    pub(crate) fn change(&self, below: &str, change: impl Fn(&mut Vec<u8>)) {
        match &self.bucket {
            None => {
                let path = self.root.path().join(below);
                let mut content = fs::read(&path).unwrap();
                change(&mut content);
                fs::write(path, content).unwrap();
            }
            Some(bucket) => {
                let path = format!("/models/team/{below}");
                let mut content = bucket.objects()[&path].clone();
                change(&mut content);
                bucket.answer(&path, bucket_server::Answer::Content(content));
            }
        }
    }
}

/// The package of a version `name` of iris, in a folder that lives as long as the
/// first that is given.
pub(crate) fn package(name: &str, accuracy: f64) -> (TempDir, PathBuf) {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().join("model");
    write(&folder, name, accuracy);
    (kept, folder)
}

fn write(folder: &Path, name: &str, accuracy: f64) {
    let manifest = Manifest {
        format: String::new(),
        format_version: 0,
        digest: Digest::of(&[]),
        name: "iris".to_owned(),
        version: name.to_owned(),
        task: Task::Classification,
        target: "species".to_owned(),
        labels: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        preprocessing: Preprocessing::Table(Table {
            columns: Vec::new(),
        }),
        metrics: BTreeMap::from([("accuracy".to_owned(), accuracy)]),
        provenance: Provenance::default(),
        files: BTreeMap::new(),
    };
    let files = [
        (GRAPH_FILE, format!("the graph of {name}").repeat(1000)),
        ("metrics.json", format!("{{\"accuracy\": {accuracy}}}")),
    ];
    let files = files.map(|(name, content)| (name.to_owned(), content.into_bytes()));
    model::write_package(folder, manifest, &files.into()).unwrap();
}
