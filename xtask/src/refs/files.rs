//! The files below `pipelines/` and the references in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use super::document::Node;
use super::token::{self, Reference};
use super::{json, yaml};
use crate::images::place::Place;
use crate::shares::shares;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What to look for.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    /// Images of the workspace.
    pub(crate) names: &'a [&'a str],
    /// Where they belong.
    pub(crate) place: &'a Place,
    /// Parse every file that is called a pipeline, also one that names no image.
    pub(crate) thorough: bool,
}

/// A file that may describe pipelines.
pub(crate) struct Descriptor {
    /// Relative to the workspace.
    pub(crate) path: PathBuf,
    /// The file itself, should `path` be a symbolic link.
    pub(crate) real: PathBuf,
    /// Whether the text below had a byte-order mark before it.
    pub(crate) marked: bool,
    pub(crate) text: String,
    pub(crate) documents: Vec<Node>,
    pub(crate) hits: Vec<Hit>,
    /// Why the file was not understood.
    pub(crate) trouble: Option<String>,
}

/// A reference in a descriptor.
pub(crate) struct Hit {
    /// Its spans are bytes of the file's text.
    pub(crate) reference: Reference,
    /// The same one in the string that a reader of the file gets.
    pub(crate) decoded: Reference,
    /// The string's number, counted in the order of the file.
    pub(crate) string: usize,
    /// Where the string stands, as `transform.cmd[4]`.
    pub(crate) path: String,
    /// The pipeline it belongs to.
    pub(crate) pipeline: Option<String>,
}

/// Place in a file for people: both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Hit {
    /// Whether the reference is the image that the pipeline's workers run.
    pub(crate) fn is_image(&self) -> bool {
        self.path == "transform.image" || self.path.ends_with(".transform.image")
    }
}

impl Descriptor {
    /// Line and column of a byte of the text.
    pub(crate) fn line(&self, at: usize) -> Line {
        let before = self.text.get(..at).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Line {
            line: before.matches('\n').count() + 1,
            column: before.get(start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The whole file for a new text.
    pub(crate) fn with_mark(&self, text: &str) -> String {
        let mark = if self.marked { BYTE_ORDER_MARK } else { "" };
        format!("{mark}{text}")
    }

    /// Whether it is a program that gives descriptors, and none itself.
    pub(crate) fn is_program(&self) -> bool {
        self.path
            .extension()
            .is_some_and(|extension| extension == "jsonnet")
    }

    pub(super) fn is_called_pipeline(&self) -> bool {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        name.contains("pipeline") && !self.is_program()
    }

    /// Parses a text in the format of this file.
    ///
    /// # Errors
    /// When it is not of that format.
    pub(crate) fn parse(&self, text: &str) -> Result<Vec<Node>> {
        parse(&self.path, text)
    }
}

/// Reads every descriptor below `folder` of the workspace, in order of path. A
/// symbolic link to a file of the workspace is read once, as that file.
///
/// # Errors
/// When a folder or file cannot be read.
pub(crate) fn read_all(root: &Path, folder: &str, search: Search<'_>) -> Result<Vec<Descriptor>> {
    let paths = paths(root, folder)?;
    let all = shares(&paths, |share| {
        let files = share.iter();
        let read = files.map(|(path, real)| read(path, real, search));
        read.collect::<Result<Vec<Descriptor>>>()
    })?;
    Ok(all.into_iter().flatten().collect())
}

/// Path in the workspace and real path of each file that may be a descriptor.
fn paths(root: &Path, folder: &str) -> Result<Vec<(PathBuf, PathBuf)>> {
    let real_root = root
        .canonicalize()
        .with_context(|| format!("cannot read {}", root.display()))?;
    let top = root.join(folder);
    let mut seen = BTreeSet::new();
    let mut links = Vec::new();
    let mut paths = Vec::new();
    for entry in WalkDir::new(&top).sort_by_file_name() {
        let entry = entry.with_context(|| format!("cannot read {folder}/"))?;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        if !is_descriptor(path) {
            continue;
        }
        if entry.file_type().is_file() {
            // Below a real folder, the path is real but for the root.
            let real = real_root.join(path);
            seen.insert(real.clone());
            paths.push((path.to_owned(), real));
        } else if entry.path_is_symlink() {
            links.push(entry.path().to_owned());
        }
    }
    for link in links {
        let real = link.canonicalize();
        let real = real.with_context(|| format!("{} leads nowhere", link.display()))?;
        if real.is_file() && real.starts_with(&real_root) && seen.insert(real.clone()) {
            let path = link.strip_prefix(root).unwrap_or(&link).to_owned();
            paths.push((path, real));
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_descriptor(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("json" | "yaml" | "yml" | "jsonnet"))
}

fn read(path: &Path, real: &Path, search: Search<'_>) -> Result<Descriptor> {
    let bytes = fs::read(real).with_context(|| format!("cannot read {}", path.display()))?;
    let mut descriptor = Descriptor {
        path: path.to_owned(),
        real: real.to_owned(),
        marked: false,
        text: String::new(),
        documents: Vec::new(),
        hits: Vec::new(),
        trouble: None,
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes());
            if !token::find(&text, search.names, search.place).is_empty() {
                descriptor.trouble = Some("it is not UTF-8".to_owned());
            }
            return Ok(descriptor);
        }
    };
    descriptor.marked = text.starts_with(BYTE_ORDER_MARK);
    descriptor.text = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => text.to_owned(),
        None => text,
    };
    descriptor.search(search);
    Ok(descriptor)
}

fn parse(path: &Path, text: &str) -> Result<Vec<Node>> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(vec![json::parse(text)?]),
        Some("jsonnet") => bail!("it is a Jsonnet program, which only Pachyderm evaluates"),
        _ => yaml::parse(text),
    }
}
