//! A loaded model.

use std::path::Path;

use model::{
    Digest, Lane, Package, PackageError, Preprocessing, Session, SessionError, Table, Task, Tensor,
    TensorSignature,
};

/// A model that is loaded, verified and has predicted once.
#[derive(Debug)]
pub(crate) struct Predictor {
    /// The registered model's name.
    pub(crate) name: String,
    /// The version's name.
    pub(crate) version: String,
    /// The package's digest.
    pub(crate) digest: Digest,
    /// What the model does.
    pub(crate) task: Task,
    /// The column that it predicts.
    pub(crate) target: String,
    /// The classes in the order of the output; empty for a regression.
    pub(crate) labels: Vec<String>,
    /// The columns that it takes.
    pub(crate) table: Table,
    /// The graph's only input, shape `[-1, columns]`.
    pub(crate) input: TensorSignature,
    /// The graph's output, shape `[-1, classes]` or `[-1, 1]`.
    pub(crate) output: TensorSignature,
    session: Session,
}

/// What the model gives for some rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prediction {
    /// The number of rows.
    pub(crate) rows: usize,
    /// Values in each row: one per class, or one for a regression.
    pub(crate) width: usize,
    /// The values, row by row.
    pub(crate) values: Vec<f32>,
}

/// Why a model cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The package is not whole, not readable, or not the one asked for.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The graph cannot be loaded, or fails on a row.
    #[error(transparent)]
    Session(#[from] SessionError),
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
    /// one, and predicts one row with it.
    ///
    /// # Errors
    ///
    /// When the package is not whole, its graph does not run, or description and
    /// graph disagree.
    pub(crate) fn load(dir: &Path, pin: Option<Digest>) -> Result<Self, LoadError> {
        let package = match pin {
            Some(digest) => Package::open_pinned(dir, digest)?,
            None => Package::open(dir)?,
        };
        let manifest = package.manifest;
        let (name, version) = (manifest.name, manifest.version);
        let unsupported = |reason: String| LoadError::Unsupported {
            name: name.clone(),
            version: version.clone(),
            reason,
        };
        let Preprocessing::Table(table) = manifest.preprocessing else {
            return Err(unsupported("it is not a model of a table".to_owned()));
        };
        let width = width_of(manifest.task, &manifest.labels).map_err(unsupported)?;
        let wanted = match manifest.task {
            Task::Classification => "probabilities",
            Task::Regression => "prediction",
        };
        if table.columns.is_empty() {
            return Err(unsupported("it takes no columns".to_owned()));
        }
        let input = only(manifest.inputs, "input").map_err(unsupported)?;
        let output = find(manifest.outputs, wanted).map_err(unsupported)?;
        let outputs = std::slice::from_ref(&output);
        let session = Session::load(package.graph, &input, outputs)?;
        let predictor = Self {
            digest: manifest.digest,
            task: manifest.task,
            target: manifest.target,
            labels: manifest.labels,
            table,
            input,
            output,
            session,
            name: name.clone(),
            version: version.clone(),
        };
        predictor.warm_up(width).map_err(|reason| match reason {
            WarmUpError::Session(error) => LoadError::Session(error),
            WarmUpError::Shape(reason) => unsupported(reason),
        })?;
        Ok(predictor)
    }

    /// Predicts from `features` of shape `[rows, columns]`.
    ///
    /// # Errors
    ///
    /// When the graph fails, or gives a number that JSON cannot hold.
    pub(crate) fn predict(
        &self,
        lane: &Lane,
        features: Vec<f32>,
    ) -> Result<Prediction, SessionError> {
        let input = self.shaped(features);
        let prediction = first(self.session.run_on(lane, input)?)?;
        match prediction.values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(SessionError::Run(format!("it gave {value} for a row"))),
            None => Ok(prediction),
        }
    }

    /// The class with the highest value of a row; the first of equals.
    pub(crate) fn label_of(&self, row: &[f32]) -> Option<&str> {
        let higher = |best: (usize, f32), (index, &value): (usize, &f32)| {
            if value > best.1 { (index, value) } else { best }
        };
        let (index, _) = row.iter().enumerate().fold((0, f32::MIN), higher);
        self.labels.get(index).map(String::as_str)
    }

    fn shaped(&self, values: Vec<f32>) -> Tensor {
        let width = self.table.columns.len();
        let rows = values.len().checked_div(width).unwrap_or(0);
        Tensor {
            shape: vec![rows, width],
            values,
        }
    }

    /// The first run plans the graph; a client should not wait for that. Zero is
    /// a number of every numeric column and the first category of the others.
    fn warm_up(&self, width: usize) -> Result<(), WarmUpError> {
        let input = self.shaped(vec![0.0; self.table.columns.len()]);
        let output = self.session.run(input)?;
        let prediction = first(output)?;
        if (prediction.rows, prediction.width) == (1, width) {
            return Ok(());
        }
        let (rows, found) = (prediction.rows, prediction.width);
        Err(WarmUpError::Shape(format!(
            "for one row the graph gives {:?} of shape [{rows}, {found}], the description says [1, {width}]",
            self.output.name
        )))
    }
}

impl Prediction {
    /// The values row by row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }
}

#[derive(Debug)]
enum WarmUpError {
    Session(SessionError),
    Shape(String),
}

impl From<SessionError> for WarmUpError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
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

fn only(mut signatures: Vec<TensorSignature>, kind: &str) -> Result<TensorSignature, String> {
    match (signatures.pop(), signatures.len()) {
        (Some(signature), 0) => Ok(signature),
        (_, others) => Err(format!("it has {others} {kind}s too many or none")),
    }
}

fn find(signatures: Vec<TensorSignature>, name: &str) -> Result<TensorSignature, String> {
    let found = signatures.into_iter().find(|s| s.name == name);
    found.ok_or_else(|| format!("it has no output {name:?}"))
}

/// The only tensor of a run, which has the shape `[rows, width]`.
fn first(tensors: Vec<Tensor>) -> Result<Prediction, SessionError> {
    let tensor = tensors.into_iter().next();
    let tensor = tensor.ok_or_else(|| SessionError::Run("it gave no output".to_owned()))?;
    let &[rows, width] = tensor.shape.as_slice() else {
        let shape = tensor.shape;
        return Err(SessionError::Run(format!(
            "its output has the shape {shape:?}, expected two dimensions"
        )));
    };
    Ok(Prediction {
        rows,
        width,
        values: tensor.values,
    })
}
