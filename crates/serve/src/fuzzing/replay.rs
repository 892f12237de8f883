//! What the fuzz targets have found, once more.

use std::fs;
use std::path::PathBuf;

/// Replays the files of `target` through `entry`.
fn replay(target: &str, entry: fn(&[u8])) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join("fuzz/corpus").join(target)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 9, "only {} files of {target}", files.len());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| entry(&bytes));
        assert!(outcome.is_ok(), "{} fails", file.display());
    }
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
