//! The package beside model-info.yaml is verified before anything is written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::{Pfs, stderr};
use model::{Digest, GRAPH_FILE, Manifest, Preprocessing, Provenance, Table, Task};

fn write_package(dir: &Path, version: &str) -> Digest {
    let manifest = Manifest {
        format: String::new(),
        format_version: 0,
        digest: Digest::of(b""),
        name: "iris".to_owned(),
        version: version.to_owned(),
        task: Task::Classification,
        target: "species".to_owned(),
        labels: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        preprocessing: Preprocessing::Table(Table {
            columns: Vec::new(),
        }),
        metrics: BTreeMap::new(),
        provenance: Provenance::default(),
        files: BTreeMap::new(),
    };
    let files = BTreeMap::from([(GRAPH_FILE.to_owned(), b"a graph".to_vec())]);
    model::write_package(dir, manifest, &files).unwrap()
}

fn info(digest: Option<Digest>) -> String {
    let pin = digest.map_or(String::new(), |digest| format!("digest: {digest}\n"));
    format!("name: iris\nversion: v1\npipeline: p\nrepo: r\nuri: s3://b/model\n{pin}")
}

fn run(pfs: &Pfs) -> Output {
    let args = "--deploy-name iris --serving-image serve:1 --target manifest";
    let args: Vec<&str> = args.split(' ').collect();
    pfs.deploy(&args).output().unwrap()
}

#[track_caller]
fn refused(pfs: &Pfs, said: &str) {
    let output = run(pfs);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    assert!(pfs.out().is_empty());
    assert!(output.stdout.is_empty());
}

#[test]
fn a_whole_package_gives_its_digest_to_the_manifest() {
    let pfs = Pfs::new(&info(None));
    let digest = write_package(&pfs.path("data/model"), "v1");
    assert!(run(&pfs).status.success());
    let manifest = fs::read_to_string(pfs.path("out/seldon-deployment.yaml")).unwrap();
    assert_eq!(
        manifest.matches(&digest.to_string()).count(),
        2,
        "{manifest}"
    );
}

#[test]
fn a_damaged_package_is_refused() {
    let pfs = Pfs::new(&info(None));
    write_package(&pfs.path("data/model"), "v1");
    fs::write(pfs.path("data/model").join(GRAPH_FILE), b"A graph").unwrap();
    refused(&pfs, "model.onnx is damaged");
}

#[test]
fn another_package_than_the_pinned_one_is_refused() {
    let pfs = Pfs::new(&info(Some(Digest::of(b"another"))));
    write_package(&pfs.path("data/model"), "v1");
    refused(&pfs, "holds package sha256:");
}

#[test]
fn a_package_of_another_version_is_refused() {
    let pfs = Pfs::new(&info(None));
    write_package(&pfs.path("data/model"), "v2");
    refused(
        &pfs,
        "the package holds iris v2, but model-info.yaml names iris v1",
    );
}

#[test]
fn a_file_in_the_place_of_the_package_is_refused() {
    let pfs = Pfs::new(&info(None));
    fs::write(pfs.path("data/model"), b"").unwrap();
    refused(&pfs, "is not a directory");
}

#[test]
fn no_or_broken_model_info_is_refused() {
    let pfs = Pfs::new("name: iris\n");
    refused(&pfs, "missing field");
    fs::remove_file(pfs.path("data/model-info.yaml")).unwrap();
    refused(&pfs, "cannot read");
}

#[test]
fn no_folder_to_write_to_is_an_error() {
    let pfs = Pfs::new(&info(None));
    fs::remove_dir(pfs.path("out")).unwrap();
    let output = run(&pfs);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("pfs/out") || stderr(&output).contains("/out"));
}

#[test]
fn a_version_of_a_registry_is_verified_and_pinned() {
    let root = tempfile::tempdir().unwrap();
    let url = format!("file://{}", root.path().display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let access = storage::Access::default();
    let registry = runtime
        .block_on(registry::Registry::open(&url, &access))
        .unwrap();
    let pfs = Pfs::new("not read");
    for version in ["v1", "v2"] {
        let folder = pfs.path(version);
        write_package(&folder, version);
        runtime.block_on(registry.publish(&folder, None)).unwrap();
    }
    let deploy = |model: &str| {
        let args =
            "--deploy-name iris --serving-image serve:1 --target manifest --registry-secret s";
        let mut args: Vec<&str> = args.split(' ').collect();
        args.extend(["--registry", &url, "--model", model]);
        pfs.deploy(&args).output().unwrap()
    };
    let manifest = || fs::read_to_string(pfs.path("out/seldon-deployment.yaml")).unwrap();
    for (model, version, number) in [("iris", "v2", 2), ("iris:1", "v1", 1), ("iris:v2", "v2", 2)] {
        let output = deploy(model);
        assert!(output.status.success(), "{}", stderr(&output));
        let manifest = manifest();
        for line in [
            format!("model/version: {version}"),
            format!("model/registry: {url} version {number}"),
            "name: SERVE_REGISTRY".to_owned(),
            format!("value: {url}"),
        ] {
            assert!(manifest.contains(&line), "{line}: {manifest}");
        }
        assert!(!manifest.contains("modelUri"), "{manifest}");
        assert!(
            stderr(&output).contains("mount it in the pods"),
            "{}",
            stderr(&output)
        );
    }
    let record = fs::read_to_string(pfs.path("out/deployment.json")).unwrap();
    assert!(record.contains("\"number\": 2"), "{record}");
    let error = |model: &str| {
        let output = deploy(model);
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    assert!(error("iris:v3").contains("it has \"v2\" (2), \"v1\" (1)"));
    assert!(error("rose").contains("it has \"iris\""));
    let packages = fs::read_dir(root.path().join("iris/packages")).unwrap();
    for package in packages {
        fs::write(package.unwrap().path().join("model.onnx"), b"b graph").unwrap();
    }
    let error = error("iris");
    assert!(
        error.contains("model.onnx is damaged: its digest is sha256:"),
        "{error}"
    );
}

#[test]
fn until_a_version_is_promoted_nothing_is_deployed() {
    let pfs = Pfs::new("");
    fs::remove_file(pfs.path("data/model-info.yaml")).unwrap();
    write_package(&pfs.path("data/candidate"), "v1");
    refused(&pfs, "train has promoted no version yet");
}
