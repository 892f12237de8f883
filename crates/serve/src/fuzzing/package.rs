//! Packages, as they may lie at the place that the deployment names.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use model::{
    GRAPH_FILE, MANIFEST_FILE, Manifest, Preprocessing, REFERENCE_FILE, TOKENIZER_FILE,
    write_package,
};

use super::units::load;

/// What stands between two files of a package.
const BETWEEN: &[u8] = b"\n---\n";

/// The files of a package one after the other: description, graph, reference,
/// tokenizer, each but the first if there is one. Where the description is one, the
/// digests of the files are made to fit, as those who wrote the files would have.
pub fn package(files: &[u8]) {
    #[allow(clippy::expect_used, reason = "without a folder nothing can be tried")]
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model");
    let mut files = split(files).into_iter();
    let description = files.next().unwrap_or_default();
    let names = [GRAPH_FILE, REFERENCE_FILE, TOKENIZER_FILE];
    let named = names.into_iter().zip(files);
    let files: BTreeMap<String, Vec<u8>> = named
        .filter(|(_, content)| !content.is_empty())
        .map(|(name, content)| (name.to_owned(), content.to_vec()))
        .collect();
    let written = match serde_json::from_slice::<Manifest>(description) {
        Ok(manifest) if is_large(&manifest) => return,
        Ok(manifest) => write_package(&path, manifest, &files)
            .map(drop)
            .map_err(io::Error::other),
        Err(_) => write(&path, description, &files),
    };
    assert!(written.is_ok(), "{written:?}");
    if let Ok(unit) = load(&path) {
        assert!(serde_json::to_vec(unit.metadata()).is_ok());
        assert!(serde_json::to_vec(unit.signature()).is_ok());
    }
}

/// Whether loading takes much memory because the description says so.
fn is_large(manifest: &Manifest) -> bool {
    match &manifest.preprocessing {
        Preprocessing::Image(image) => image.len() > 1 << 16,
        _ => false,
    }
}

fn write(path: &Path, description: &[u8], files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::write(path.join(MANIFEST_FILE), description)?;
    let mut files = files.iter();
    files.try_for_each(|(name, content)| fs::write(path.join(name), content))
}

fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes.windows(BETWEEN.len()).position(|w| w == BETWEEN) {
        let (part, rest) = bytes.split_at(at);
        parts.push(part);
        bytes = rest.get(BETWEEN.len()..).unwrap_or_default();
    }
    parts.push(bytes);
    parts
}
