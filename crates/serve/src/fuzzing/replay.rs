//! What the fuzz targets have found, once more.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tar::Archive;

/// Replays the files of `target` through `entry`: those that were made by hand, and those
/// that fuzzing has found, which reach all code that it has reached.
fn replay(target: &str, entry: fn(&[u8])) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join("fuzz/corpus").join(target)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 9, "only {} files of {target}", files.len());
    for file in files {
        once(&file, &fs::read(&file).unwrap(), entry);
    }
    let found = root.join(format!("fuzz/corpus/{target}.tar.gz"));
    let found = fs::File::open(&found).unwrap_or_else(|e| panic!("{}: {e}", found.display()));
    let mut found = Archive::new(GzDecoder::new(found));
    let mut count = 0;
    for file in found.entries().unwrap() {
        let mut file = file.unwrap();
        let name = file.path().unwrap().into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        once(&name, &bytes, entry);
        count += 1;
    }
    assert!(count > 99, "only {count} files of {target} were found");
}

fn once(name: &Path, bytes: &[u8], entry: fn(&[u8])) {
    let outcome = std::panic::catch_unwind(|| entry(bytes));
    assert!(outcome.is_ok(), "{} fails", name.display());
}

#[test]
fn messages_of_json() {
    replay("seldon_json", super::seldon_json);
}

#[test]
fn forms() {
    replay("seldon_form", super::seldon_form);
}

#[test]
fn messages_of_seldon_over_grpc() {
    replay("seldon_grpc", super::seldon_grpc);
}

#[test]
fn requests_with_raw_tensors() {
    replay("oip_body", super::oip_body);
}

#[test]
fn requests_over_grpc() {
    replay("oip_grpc", super::oip_grpc);
}

#[test]
fn pictures() {
    replay("picture", super::picture);
}

#[test]
fn packages() {
    replay("package", super::package);
}
