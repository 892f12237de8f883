//! `model.json`: what the graph of a package takes, gives, and comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "pictures")]
use crate::ImageInput;
#[cfg(feature = "texts")]
use crate::TextInput;
use crate::{Digest, Table};

/// The value of `format` in every `model.json` that this project writes.
pub const FORMAT: &str = "pachyderm-seldon/model-package";

/// The newest `format_version` that this build reads, and the one it writes.
pub const FORMAT_VERSION: u32 = 2;

/// The description of a model package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// At most [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The package's digest: the SHA-256 of this file with 64 zeros in the place
    /// of the digest itself. As `files` holds the digests of all other files, it
    /// names the whole content.
    pub digest: Digest,
    /// The registered model's name.
    pub name: String,
    /// The version's name: the ID of the Pachyderm job that made it.
    pub version: String,
    /// What the model does.
    pub task: Task,
    /// The column that the model predicts.
    pub target: String,
    /// The classes in the order of the graph's `probabilities`; empty for a
    /// regression.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The graph's inputs.
    pub inputs: Vec<TensorSignature>,
    /// The graph's outputs.
    pub outputs: Vec<TensorSignature>,
    /// How raw values become the graph's input.
    pub preprocessing: Preprocessing,
    /// Held-out metrics by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Everything needed to make this model again.
    pub provenance: Provenance,
    /// Every other file of the package.
    pub files: BTreeMap<String, FileEntry>,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One of the classes in `labels`, with a probability for each.
    Classification,
    /// A number.
    Regression,
}

/// A graph's input or output, in the words of the Open Inference Protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSignature {
    /// The name in the graph.
    pub name: String,
    /// The type of an element.
    pub datatype: Datatype,
    /// The size of each dimension; -1 is any.
    pub shape: Vec<i64>,
}

/// The type of a tensor's elements, in the words of the Open Inference Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Datatype {
    /// 32-bit IEEE 754.
    Fp32,
    /// 64-bit signed; token numbers, which all fit 32 bits.
    Int64,
}

/// How raw values become the graph's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Preprocessing {
    /// Rows of a table.
    Table(Table),
    /// Pictures.
    #[cfg(feature = "pictures")]
    Image(ImageInput),
    /// Texts, by the tokenizer in the package.
    #[cfg(feature = "texts")]
    Text(TextInput),
}

/// Everything needed to make a model again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The data repo.
    pub repo: String,
    /// The training pipeline.
    pub pipeline: String,
    /// The name of the pipeline's input with the data, where it is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub input: String,
    /// Where the package can be loaded from, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The commit of the data repo, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_commit: Option<String>,
    /// The digest of each data file, by its path in the repo: what packages of
    /// format version 1 have in the place of `data_files`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Digest>,
    /// The data files, which `data.sha256` lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_files: Option<DataFiles>,
    /// The experiment's configuration with all defaults filled in.
    #[serde(default)]
    pub config: Value,
    /// The pretrained graph that the model stands on, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<BackboneOrigin>,
    /// The engine that ran the backbone, as `built-in` or `onnxruntime 1.31`; packages
    /// that do not say so are of the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The model that this one continues, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseModel>,
    /// The program and version that trained, `train 0.0.1`.
    pub trained_by: String,
    /// The commit of the program's source, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The image that the program ran in, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl Provenance {
    /// How many data files the model was made from.
    pub fn data_file_count(&self) -> usize {
        self.data_files.map_or(self.data.len(), |files| files.count)
    }
}

/// The data files that a model was made from, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFiles {
    /// How many there are.
    pub count: usize,
    /// The digest over their paths and digests, which is that of `data.sha256`.
    pub digest: Digest,
}

/// A model that another one continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseModel {
    /// Its version's name.
    pub version: String,
    /// The digest of its package.
    pub digest: Digest,
}

/// The pretrained graph that a model stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneOrigin {
    /// Its name, `efficientnet-lite0`.
    pub name: String,
    /// The digest of its description, which pins all of it.
    pub digest: Digest,
    /// The licence of its weights as an SPDX expression, where it is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// Size and content of one file of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Bytes.
    pub size: u64,
    /// The SHA-256 of the content.
    pub digest: Digest,
}
