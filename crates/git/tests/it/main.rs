//! Fetching from git's own server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod files;
mod refusals;
mod revisions;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use git::{Error, Fetched, Remote};
use git_server::GitServer;
use tempfile::TempDir;

/// A folder that a commit was fetched into.
struct Checkout {
    fetched: Fetched,
    folder: TempDir,
}

fn fetch(remote: &Remote, revision: &str) -> Result<Checkout, Error> {
    let folder = tempfile::tempdir().unwrap();
    let fetched = git::fetch(remote, revision, folder.path())?;
    Ok(Checkout { fetched, folder })
}

fn remote(server: &GitServer, repository: &str) -> Remote {
    Remote::new(&server.url(repository)).unwrap()
}

/// The files below a folder by their paths; a link is its target with an arrow.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                files.insert(name, format!("-> {}", target.display()));
            } else if kind.is_dir() {
                files.insert(format!("{name}/"), String::new());
                folders.push(path);
            } else {
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}
