//! From a package to what a predictor needs.

use std::path::Path;

use model::{
    Digest, Engines, Package, PackageError, Preprocessing, REFERENCE_FILE, Session, SessionError,
    Task, TensorSignature, Tokenizer,
};
use monitor::{Measure, Reference, ReferenceError};

use super::about::About;
use super::engines;
use super::joining::{Batching, Joining};
use super::predictor::Predictor;
use super::takes::{PredictError, Takes};
use crate::monitor::{Monitor, Watch};

/// Why a model cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The package is not whole, not readable, or not the one asked for.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The statistics of the training data are not what they should be.
    #[error("{REFERENCE_FILE}: {0}")]
    Reference(#[from] ReferenceError),
    /// No thread can be had that tests for drift.
    #[error("cannot watch the requests: {0}")]
    Monitor(#[from] std::io::Error),
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

/// How a model is served.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    /// How its requests are watched.
    pub(crate) watch: Watch,
    /// How far they are joined.
    pub(crate) batching: Batching,
    /// What may run it.
    pub(crate) engines: Engines,
}

impl Predictor {
    /// Loads the package in `dir`, which must have the digest `pin` if there is
    /// one, predicts once with it, and serves it under `conditions`.
    ///
    /// # Errors
    ///
    /// When the package is not whole, its graph does not run, or description and
    /// graph disagree.
    pub(crate) fn load(
        dir: &Path,
        pin: Option<Digest>,
        (name, version): (Option<&str>, Option<&str>),
        conditions: &Conditions,
    ) -> Result<Self, LoadError> {
        let Conditions {
            watch,
            batching,
            engines,
        } = conditions;
        let Package {
            manifest,
            graph,
            tokenizer,
            reference,
        } = match pin {
            Some(digest) => Package::open_pinned(dir, digest)?,
            None => Package::open(dir)?,
        };
        let name = name.map_or(manifest.name, ToOwned::to_owned);
        let version = version.map_or(manifest.version, ToOwned::to_owned);
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
        let mut outputs = vec![find(&manifest.outputs, wanted).map_err(unsupported)?];
        let reference = reference.map(|file| Reference::read(&file)).transpose()?;
        let reference = reference.filter(|_| watch.requests > 0);
        if let Some(reference) = &reference {
            let embedding = check_reference(reference, &takes, &manifest.outputs);
            outputs.extend(embedding.map_err(unsupported)?);
        }
        // The first run plans the graph; a client should not wait for that.
        let first = |session: &Session| Ok(sample(session, &takes, &manifest.inputs)?);
        let signature = (manifest.inputs.as_slice(), outputs.as_slice());
        let (session, ()) = engines::open(engines, &takes, graph, signature, first)?;
        let output = outputs.swap_remove(0);
        let model = (name.as_str(), version.as_str());
        let joining = Joining::new(batching, model, &manifest.inputs, takes.bound());
        let mut predictor = Self {
            digest: manifest.digest,
            task: manifest.task,
            target: manifest.target,
            labels: manifest.labels,
            takes,
            inputs: manifest.inputs,
            output,
            about: About::new(manifest.metrics, manifest.provenance),
            session,
            joining,
            monitor: None,
            name: name.clone(),
            version: version.clone(),
        };
        let prediction = predictor.infer(None, predictor.takes.sample())?;
        let (rows, found) = (prediction.rows, prediction.width);
        if (rows, found) != (1, width) {
            let one = predictor.takes.kind().trim_end_matches('s');
            return Err(unsupported(format!(
                "for one {one} the graph gives {wanted:?} of shape [{rows}, {found}], the description says [1, {width}]"
            )));
        }
        if let Some(reference) = reference {
            predictor.monitor = Some(Monitor::start(model, reference, watch)?);
        }
        Ok(predictor)
    }
}

/// Runs `session` once, on what the model `takes`.
fn sample(
    session: &Session,
    takes: &Takes,
    inputs: &[TensorSignature],
) -> Result<(), PredictError> {
    takes.inputs(inputs, takes.sample(), 1, |inputs| {
        session.run_inputs(inputs, None).map(drop)
    })
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

fn find(signatures: &[TensorSignature], name: &str) -> Result<TensorSignature, String> {
    let found = signatures.iter().find(|s| s.name == name);
    found
        .cloned()
        .ok_or_else(|| format!("it has no output {name:?}"))
}

/// The graph's output that is watched, where it is not the input.
fn check_reference(
    reference: &Reference,
    takes: &Takes,
    outputs: &[TensorSignature],
) -> Result<Option<TensorSignature>, String> {
    let described = reference.features.len();
    let (width, embedding) = match takes {
        Takes::Table(table) => (table.columns.len(), None),
        Takes::Pictures(_) | Takes::Texts(_) => {
            let embedding = find(outputs, "embedding")?;
            let width = embedding.shape.last().copied().map(usize::try_from);
            (
                width.and_then(Result::ok).unwrap_or_default(),
                Some(embedding),
            )
        }
    };
    let by_row = reference.measure == Measure::Highest;
    if width != described || by_row != embedding.is_none() {
        return Err(format!(
            "{REFERENCE_FILE} describes {described} features, the model has {width}"
        ));
    }
    Ok(embedding)
}
