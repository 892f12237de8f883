//! From a package to what a predictor needs.

use std::path::Path;

use model::{
    Digest, Package, PackageError, Preprocessing, Session, SessionError, Task, TensorSignature,
    Tokenizer,
};

use super::predictor::Predictor;
use super::takes::{PredictError, Takes};

/// Why a model cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The package is not whole, not readable, or not the one asked for.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The graph cannot be loaded.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The graph fails on what the model is described to take.
    #[error("the first prediction failed: {0}")]
    WarmUp(#[from] PredictError),
    /// The package is whole but describes what this server does not serve.
    #[error("the package {name} {version} cannot be served: {reason}")]
    Unsupported {
        /// The model's name.
        name: String,
        /// Its version.
        version: String,
        /// What does not fit.
        reason: String,
    },
}

impl Predictor {
    /// Loads the package in `dir`, which must have the digest `pin` if there is
    /// one, and predicts once with it.
    ///
    /// # Errors
    ///
    /// When the package is not whole, its graph does not run, or description and
    /// graph disagree.
    pub(crate) fn load(dir: &Path, pin: Option<Digest>) -> Result<Self, LoadError> {
        let Package {
            manifest,
            graph,
            tokenizer,
            ..
        } = match pin {
            Some(digest) => Package::open_pinned(dir, digest)?,
            None => Package::open(dir)?,
        };
        let (name, version) = (manifest.name, manifest.version);
        let unsupported = |reason: String| LoadError::Unsupported {
            name: name.clone(),
            version: version.clone(),
            reason,
        };
        let takes = takes(manifest.preprocessing, tokenizer).map_err(unsupported)?;
        check_inputs(&takes, &manifest.inputs).map_err(unsupported)?;
        let width = width_of(manifest.task, &manifest.labels).map_err(unsupported)?;
        let wanted = match manifest.task {
            Task::Classification => "probabilities",
            Task::Regression => "prediction",
        };
        let output = find(manifest.outputs, wanted).map_err(unsupported)?;
        let outputs = std::slice::from_ref(&output);
        let session = Session::open(graph, &manifest.inputs, outputs)?;
        let predictor = Self {
            digest: manifest.digest,
            task: manifest.task,
            target: manifest.target,
            labels: manifest.labels,
            takes,
            inputs: manifest.inputs,
            output,
            session,
            name: name.clone(),
            version: version.clone(),
        };
        // The first run plans the graph; a client should not wait for that.
        let prediction = predictor.infer(None, predictor.takes.sample())?;
        let (rows, found) = (prediction.rows, prediction.width);
        if (rows, found) != (1, width) {
            let one = predictor.takes.kind().trim_end_matches('s');
            return Err(unsupported(format!(
                "for one {one} the graph gives {wanted:?} of shape [{rows}, {found}], the description says [1, {width}]"
            )));
        }
        Ok(predictor)
    }
}

fn takes(preprocessing: Preprocessing, tokenizer: Option<Vec<u8>>) -> Result<Takes, String> {
    match preprocessing {
        Preprocessing::Table(table) if table.columns.is_empty() => {
            Err("it takes no columns".to_owned())
        }
        Preprocessing::Table(table) => Ok(Takes::Table(table)),
        Preprocessing::Image(image) => {
            image.check().map_err(|e| e.to_string())?;
            Ok(Takes::Pictures(image))
        }
        Preprocessing::Text(input) => {
            let file = tokenizer.ok_or_else(|| "it takes texts but has no tokenizer".to_owned())?;
            let tokenizer = Tokenizer::load(&file, &input).map_err(|e| e.to_string())?;
            Ok(Takes::Texts(Box::new(tokenizer)))
        }
        _ => Err("it takes something else than rows, pictures or texts".to_owned()),
    }
}

fn check_inputs(takes: &Takes, inputs: &[TensorSignature]) -> Result<(), String> {
    match (takes, inputs.len()) {
        (Takes::Texts(_), 1..) | (_, 1) => Ok(()),
        (_, found) => Err(format!("it has {found} inputs, expected one")),
    }
}

fn width_of(task: Task, labels: &[String]) -> Result<usize, String> {
    match (task, labels.len()) {
        (Task::Regression, _) => Ok(1),
        (Task::Classification, count @ 2..) => Ok(count),
        (Task::Classification, count) => {
            Err(format!("a classification needs two labels, it has {count}"))
        }
    }
}

fn find(signatures: Vec<TensorSignature>, name: &str) -> Result<TensorSignature, String> {
    let found = signatures.into_iter().find(|s| s.name == name);
    found.ok_or_else(|| format!("it has no output {name:?}"))
}
