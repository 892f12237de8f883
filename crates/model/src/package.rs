//! The directory that `train` publishes and `serve` loads.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::publish::{PublishError, Staging, failed};
use crate::{Digest, FORMAT, FORMAT_VERSION, FileEntry, Manifest};

/// The description in every package.
pub const MANIFEST_FILE: &str = "model.json";

/// The ONNX graph in every package.
pub const GRAPH_FILE: &str = "model.onnx";

/// The tokenizer in a package of a model that takes texts, in the format of the
/// `tokenizers` library.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// What the model was trained on, by which serve tells outliers and drift.
pub const REFERENCE_FILE: &str = "reference.json";

/// A model package whose every file has been verified.
#[derive(Debug)]
pub struct Package {
    /// The description.
    pub manifest: Manifest,
    /// The verified bytes of the ONNX graph.
    pub graph: Vec<u8>,
    /// The verified bytes of `tokenizer.json`, where there is one.
    pub tokenizer: Option<Vec<u8>>,
    /// The verified bytes of `reference.json`, where there is one.
    pub reference: Option<Vec<u8>>,
}

/// Why a directory is not accepted as a model package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// There is no such directory.
    #[error("{} is not a directory: there is no model package", .0.display())]
    NoDirectory(PathBuf),
    /// A file that every package has, or that the description lists, is absent.
    #[error("{} is missing: the package is incomplete", .0.display())]
    MissingFile(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The description is not JSON, or lacks or mistypes a key.
    #[error("{} is damaged or not a package description", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        source: serde_json::Error,
    },
    /// The description belongs to another program.
    #[error("{} has format {found:?}, expected {FORMAT:?}: this is a foreign package", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its `format`, empty where absent.
        found: String,
    },
    /// The package was written by a newer version.
    #[error(
        "{} has format_version {found}, this build reads up to {FORMAT_VERSION}: use a newer image",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its `format_version`.
        found: u64,
    },
    /// A file is not the one that was published.
    #[error("{} is damaged: its digest is {found}, expected {expected}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// A file has another length than the published one, as after a broken copy.
    #[error("{} is damaged: it has {found} bytes, expected {expected}", path.display())]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Bytes it should have.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// The package is whole, but not the one asked for.
    #[error("{} holds package {found}, expected {expected}", path.display())]
    WrongPackage {
        /// The directory.
        path: PathBuf,
        /// The digest asked for.
        expected: Digest,
        /// The digest found.
        found: Digest,
    },
    /// The description lists a file outside of the package.
    #[error("{} lists {name:?}, which is not a plain file name", path.display())]
    FileName {
        /// The description.
        path: PathBuf,
        /// The name it lists.
        name: String,
    },
}

impl Package {
    /// Reads the package in `dir` and verifies the digest of every file.
    ///
    /// # Errors
    ///
    /// When `dir` is not a whole, undamaged package of a format that this build
    /// reads. The error names the file and what is wrong with it.
    pub fn open(dir: &Path) -> Result<Self, PackageError> {
        if !dir.is_dir() {
            return Err(PackageError::NoDirectory(dir.to_owned()));
        }
        let manifest = read_manifest(&dir.join(MANIFEST_FILE))?;
        let (mut graph, mut tokenizer, mut reference) = (None, None, None);
        for (name, entry) in &manifest.files {
            let content = read_verified(dir, name, entry)?;
            match name.as_str() {
                GRAPH_FILE => graph = Some(content),
                TOKENIZER_FILE => tokenizer = Some(content),
                REFERENCE_FILE => reference = Some(content),
                _ => {}
            }
        }
        let graph = graph.ok_or_else(|| PackageError::MissingFile(dir.join(GRAPH_FILE)))?;
        Ok(Self {
            manifest,
            graph,
            tokenizer,
            reference,
        })
    }

    /// As [`Package::open`], and the package must be the one with this digest.
    ///
    /// # Errors
    ///
    /// As [`Package::open`]; and when it is whole but another one.
    pub fn open_pinned(dir: &Path, expected: Digest) -> Result<Self, PackageError> {
        let package = Self::open(dir)?;
        let found = package.manifest.digest;
        if found != expected {
            return Err(PackageError::WrongPackage {
                path: dir.to_owned(),
                expected,
                found,
            });
        }
        Ok(package)
    }
}

/// Publishes a package at `dir`, which must not exist, and returns its digest.
///
/// `format`, `format_version`, `digest` and `files` of the manifest are filled in.
/// The description is written first: a directory that a crash leaves half-made
/// lists files that it does not have, so no reader takes it for a package.
///
/// # Errors
///
/// When `dir` exists or cannot be written. Nothing is then left at `dir`.
pub fn write_package(
    dir: &Path,
    mut manifest: Manifest,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<Digest, PublishError> {
    FORMAT.clone_into(&mut manifest.format);
    manifest.format_version = FORMAT_VERSION;
    manifest.digest = Digest::placeholder();
    manifest.files = files
        .iter()
        .map(|(name, content)| {
            let size = content.len() as u64;
            (
                name.clone(),
                FileEntry {
                    size,
                    digest: Digest::of(content),
                },
            )
        })
        .collect();
    let (text, digest) = seal(&manifest).map_err(failed("describe", dir))?;
    let staging = Staging::new(dir)?;
    staging.write(MANIFEST_FILE, text.as_bytes())?;
    for (name, content) in files {
        staging.write(name, content)?;
    }
    staging.publish()?;
    Ok(digest)
}

/// The description's text with its digest filled in.
fn seal(manifest: &Manifest) -> io::Result<(String, Digest)> {
    let mut text = serde_json::to_string_pretty(manifest)?;
    text.push('\n');
    let digest = Digest::of(text.as_bytes());
    text = text.replacen(&Digest::placeholder().to_string(), &digest.to_string(), 1);
    Ok((text, digest))
}

fn read_manifest(path: &Path) -> Result<Manifest, PackageError> {
    let bytes = read(path)?;
    let invalid = |source| PackageError::Manifest {
        path: path.to_owned(),
        source,
    };
    refuse_unreadable_format(path, &bytes)?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(invalid)?;
    let text = String::from_utf8_lossy(&bytes);
    let expected = manifest.digest;
    let unsealed = text.replacen(&expected.to_string(), &Digest::placeholder().to_string(), 1);
    let found = Digest::of(unsealed.as_bytes());
    if found != expected {
        return Err(PackageError::Damaged {
            path: path.to_owned(),
            expected,
            found,
        });
    }
    Ok(manifest)
}

/// Looks at the format alone: the rest of a newer or foreign description may
/// have any shape.
fn refuse_unreadable_format(path: &Path, bytes: &[u8]) -> Result<(), PackageError> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(default)]
        format: String,
        #[serde(default)]
        format_version: u64,
    }
    let header: Header =
        serde_json::from_slice(bytes).map_err(|source| PackageError::Manifest {
            path: path.to_owned(),
            source,
        })?;
    if header.format != FORMAT {
        return Err(PackageError::Foreign {
            path: path.to_owned(),
            found: header.format,
        });
    }
    if header.format_version > u64::from(FORMAT_VERSION) {
        let found = header.format_version;
        return Err(PackageError::NewerFormat {
            path: path.to_owned(),
            found,
        });
    }
    Ok(())
}

fn read_verified(dir: &Path, name: &str, entry: &FileEntry) -> Result<Vec<u8>, PackageError> {
    let mut parts = Path::new(name).components();
    if !matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    ) {
        let path = dir.join(MANIFEST_FILE);
        return Err(PackageError::FileName {
            path,
            name: name.to_owned(),
        });
    }
    let path = dir.join(name);
    let content = read(&path)?;
    let found = content.len() as u64;
    if found != entry.size {
        return Err(PackageError::WrongSize {
            path,
            expected: entry.size,
            found,
        });
    }
    let found = Digest::of(&content);
    if found != entry.digest {
        return Err(PackageError::Damaged {
            path,
            expected: entry.digest,
            found,
        });
    }
    Ok(content)
}

fn read(path: &Path) -> Result<Vec<u8>, PackageError> {
    fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => PackageError::MissingFile(path.to_owned()),
        _ => PackageError::Read {
            path: path.to_owned(),
            source,
        },
    })
}
