//! A package is accepted whole and unchanged, or refused with the file and the reason.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use model::{
    Digest, GRAPH_FILE, MANIFEST_FILE, Manifest, Package, PackageError, Preprocessing, Provenance,
    Table, Task, write_package,
};
use tempfile::TempDir;

fn manifest() -> Manifest {
    Manifest {
        format: String::new(),
        format_version: 0,
        digest: Digest::of(b""),
        name: "iris".to_owned(),
        version: "v1".to_owned(),
        task: Task::Classification,
        target: "species".to_owned(),
        labels: vec!["setosa".to_owned(), "virginica".to_owned()],
        inputs: Vec::new(),
        outputs: Vec::new(),
        preprocessing: Preprocessing::Table(Table {
            columns: Vec::new(),
        }),
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.1 + 0.2)]),
        provenance: Provenance::default(),
        files: BTreeMap::new(),
    }
}

fn published() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    let files = [(GRAPH_FILE, "graph"), ("report.html", "report")];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    write_package(&path, manifest(), &BTreeMap::from(files)).unwrap();
    (dir, path)
}

fn refusal(path: &Path) -> PackageError {
    match Package::open(path) {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn what_was_written_is_read() {
    let (_dir, path) = published();
    let package = Package::open(&path).unwrap();
    assert_eq!(package.graph, b"graph");
    assert_eq!(package.manifest.metrics, manifest().metrics);
    assert_eq!(package.manifest.files.len(), 2);
    Package::open_pinned(&path, package.manifest.digest).unwrap();
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let (_one, first) = published();
    let (_two, second) = published();
    let read = |path: &Path| fs::read(path.join(MANIFEST_FILE)).unwrap();
    assert_eq!(read(&first), read(&second));
}

#[test]
fn a_published_package_is_never_replaced() {
    let (_dir, path) = published();
    let error = write_package(&path, manifest(), &BTreeMap::new()).unwrap_err();
    assert!(error.to_string().contains("model"), "{error}");
    Package::open(&path).unwrap();
}

#[test]
fn another_package_than_the_pinned_one_is_refused() {
    let (_dir, path) = published();
    let error = Package::open_pinned(&path, Digest::of(b"other")).unwrap_err();
    assert!(
        matches!(error, PackageError::WrongPackage { .. }),
        "{error}"
    );
}

#[test]
fn every_changed_byte_is_found() {
    let (_dir, path) = published();
    for name in [MANIFEST_FILE, GRAPH_FILE, "report.html"] {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            fs::write(&file, damaged).unwrap();
            let error = refusal(&path).to_string();
            assert!(error.contains("model"), "{name} byte {index}: {error}");
        }
        fs::write(&file, whole).unwrap();
    }
    Package::open(&path).unwrap();
}

#[test]
fn every_truncation_is_found() {
    let (_dir, path) = published();
    for name in [MANIFEST_FILE, GRAPH_FILE, "report.html"] {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            assert!(
                refusal(&path).to_string().contains(name),
                "{name} cut to {length}"
            );
        }
        fs::write(&file, whole).unwrap();
    }
}

#[test]
fn an_incomplete_directory_is_refused() {
    let (dir, path) = published();
    fs::remove_file(path.join("report.html")).unwrap();
    assert!(matches!(refusal(&path), PackageError::MissingFile(_)));
    fs::remove_file(path.join(MANIFEST_FILE)).unwrap();
    assert!(refusal(&path).to_string().contains(MANIFEST_FILE));
    assert!(matches!(
        refusal(&dir.path().join("none")),
        PackageError::NoDirectory(_)
    ));
}

#[test]
fn foreign_and_newer_packages_are_told_apart() {
    let (_dir, path) = published();
    let file = path.join(MANIFEST_FILE);
    edit(
        &file,
        "\"format_version\": 2",
        "\"format_version\": 3, \"shape\": []",
    );
    let newer = refusal(&path);
    assert!(
        matches!(newer, PackageError::NewerFormat { found: 3, .. }),
        "{newer}"
    );
    edit(&file, "pachyderm-seldon/model-package", "mlflow");
    let foreign = refusal(&path);
    assert!(matches!(&foreign, PackageError::Foreign { found, .. } if found == "mlflow"));
    fs::write(&file, "{\"backend\": \"x\"}").unwrap();
    assert!(refusal(&path).to_string().contains("foreign"));
    fs::write(&file, "<html>").unwrap();
    assert!(matches!(refusal(&path), PackageError::Manifest { .. }));
}

#[test]
fn names_that_leave_the_package_are_refused() {
    for name in ["../secret", "/etc/passwd", "a/b", "..", ""] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        fs::create_dir(&path).unwrap();
        let (_whole, original) = published();
        let text = fs::read_to_string(original.join(MANIFEST_FILE)).unwrap();
        let digest = Package::open(&original)
            .unwrap()
            .manifest
            .digest
            .to_string();
        let zeros = format!("sha256:{}", "0".repeat(64));
        let text = text
            .replacen(&digest, &zeros, 1)
            .replacen(GRAPH_FILE, name, 1);
        let sealed = text.replacen(&zeros, &Digest::of(text.as_bytes()).to_string(), 1);
        fs::write(path.join(MANIFEST_FILE), sealed).unwrap();
        let error = refusal(&path);
        assert!(
            matches!(error, PackageError::FileName { .. }),
            "{name}: {error}"
        );
    }
}
