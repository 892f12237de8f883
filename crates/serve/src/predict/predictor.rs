//! A loaded model.

use model::{Digest, Lane, Session, SessionError, Task, Tensor, TensorSignature};

use crate::monitor::{Monitor, Outlier};

use super::about::About;
use super::features::Features;
use super::joining::Joining;
use super::takes::{PredictError, Takes};

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
    /// What it takes.
    pub(crate) takes: Takes,
    /// The graph's inputs.
    pub(crate) inputs: Vec<TensorSignature>,
    /// The graph's output, shape `[-1, classes]` or `[-1, 1]`.
    pub(crate) output: TensorSignature,
    /// What people want to know besides.
    pub(crate) about: About,
    /// What watches the requests, if anything.
    pub(crate) monitor: Option<Monitor>,
    pub(super) session: Session,
    pub(super) joining: Joining,
}

/// What the model gives for some rows, pictures or texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Prediction {
    /// The number of rows, pictures or texts.
    pub(crate) rows: usize,
    /// Values for each: one per class, or one for a regression.
    pub(crate) width: usize,
    /// The values, row by row.
    pub(crate) values: Vec<f32>,
    /// The embeddings, picture by picture or text by text, where they are watched.
    pub(super) embeddings: Vec<f32>,
    /// What the request looks like beside the training rows.
    pub(crate) outlier: Option<Outlier>,
}

impl Predictor {
    /// Predicts from `features`.
    ///
    /// # Errors
    ///
    /// When there are none, they are not what the model takes or cannot be
    /// decoded, the graph fails, or gives a number that JSON cannot hold.
    pub(crate) fn predict(
        &self,
        lane: &Lane,
        features: Features,
    ) -> Result<Prediction, PredictError> {
        self.joining.ran(1);
        let outlier = self.outlier(&features);
        let mut prediction = self.infer(Some(lane), features)?;
        prediction.outlier = outlier.or_else(|| self.outlier_of(&prediction));
        Ok(prediction)
    }

    /// As [`Self::predict`], unwatched, and on all cores where there is no lane.
    pub(super) fn infer(
        &self,
        lane: Option<&Lane>,
        features: Features,
    ) -> Result<Prediction, PredictError> {
        self.run(lane, features, 1)?.checked()
    }

    /// As [`Self::infer`], for several requests by one run; the features are prepared,
    /// and have `counts` rows.
    pub(super) fn infer_joined(
        &self,
        lane: &Lane,
        features: &[&Features],
        counts: &[usize],
    ) -> Result<Vec<Prediction>, PredictError> {
        let rows = counts.iter().sum();
        let all = self.run(Some(lane), Features::joined(features), rows)?;
        let each = all.split(counts)?;
        each.into_iter().map(Prediction::checked).collect()
    }

    /// The prediction from `features` with what they look like beside the training
    /// rows.
    pub(super) fn watched(&self, features: &Features, prediction: Prediction) -> Prediction {
        let outlier = self.outlier(features);
        Prediction {
            outlier: outlier.or_else(|| self.outlier_of(&prediction)),
            ..prediction
        }
    }

    /// Runs the graph, on at most `together` pictures at a time.
    fn run(
        &self,
        lane: Option<&Lane>,
        features: Features,
        together: usize,
    ) -> Result<Prediction, PredictError> {
        let mut all = Prediction::default();
        self.takes
            .inputs(&self.inputs, features, together, |inputs| {
                all.append(prediction(self.session.run_inputs(inputs, lane)?)?)
            })?;
        Ok(all)
    }

    /// The engine that runs it, as `built-in` or `onnxruntime 1.31`.
    pub(crate) fn engine(&self) -> &str {
        self.session.engine()
    }

    /// What rows of a table look like, where they are watched.
    fn outlier(&self, features: &Features) -> Option<Outlier> {
        match (&self.monitor, features) {
            (Some(monitor), Features::Rows(rows)) => Some(monitor.request(rows)),
            _ => None,
        }
    }

    /// What pictures or texts look like, where they are watched.
    fn outlier_of(&self, prediction: &Prediction) -> Option<Outlier> {
        let monitor = self.monitor.as_ref()?;
        let watches = monitor.wants_embeddings();
        watches.then(|| monitor.request(&prediction.embeddings))
    }

    /// The class with the highest value of a row; the first of equals.
    pub(crate) fn label_of(&self, row: &[f32]) -> Option<&str> {
        let higher = |best: (usize, f32), (index, &value): (usize, &f32)| {
            if value > best.1 { (index, value) } else { best }
        };
        let (index, _) = row.iter().enumerate().fold((0, f32::MIN), higher);
        self.labels.get(index).map(String::as_str)
    }
}

impl Prediction {
    /// The values row by row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// Whether all values are those of `other`, up to `tolerance` times the value or 1.
    pub(super) fn is_close(&self, other: &Self, tolerance: f32) -> bool {
        let is_close = |a: &[f32], b: &[f32]| {
            let mut pairs = a.iter().zip(b);
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= tolerance * a.abs().max(1.0);
            a.len() == b.len() && pairs.all(near)
        };
        is_close(&self.values, &other.values) && is_close(&self.embeddings, &other.embeddings)
    }

    /// The predictions of the requests that have `counts` rows.
    fn split(self, counts: &[usize]) -> Result<Vec<Self>, SessionError> {
        let (rows, wanted) = (self.rows, counts.iter().sum::<usize>());
        if rows != wanted || self.values.len() != rows * self.width {
            let text = format!("it gave {rows} rows for {wanted}");
            return Err(SessionError::Run(text));
        }
        let depth = self.embeddings.len().checked_div(rows).unwrap_or(0);
        let (mut values, mut embeddings) = (self.values.into_iter(), self.embeddings.into_iter());
        let part = |&rows: &usize| Self {
            rows,
            width: self.width,
            values: values.by_ref().take(rows * self.width).collect(),
            embeddings: embeddings.by_ref().take(rows * depth).collect(),
            outlier: None,
        };
        Ok(counts.iter().map(part).collect())
    }

    /// The same.
    ///
    /// # Errors
    ///
    /// When a value is one that JSON cannot hold.
    fn checked(self) -> Result<Self, PredictError> {
        match self.values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(SessionError::Run(format!("it gave {value} for a row")).into()),
            None => Ok(self),
        }
    }

    fn append(&mut self, part: Self) -> Result<(), SessionError> {
        if self.rows == 0 {
            *self = part;
            return Ok(());
        }
        if part.width != self.width {
            let (now, before) = (part.width, self.width);
            let text = format!("it gave {now} values for a row, and {before} before");
            return Err(SessionError::Run(text));
        }
        self.rows += part.rows;
        self.values.extend(part.values);
        self.embeddings.extend(part.embeddings);
        Ok(())
    }
}

/// The first tensor of a run, which has the shape `[rows, width]`, and the
/// embeddings in the second, where there is one.
fn prediction(tensors: Vec<Tensor>) -> Result<Prediction, SessionError> {
    let mut tensors = tensors.into_iter();
    let (tensor, embeddings) = (tensors.next(), tensors.next());
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
        embeddings: embeddings.map_or_else(Vec::new, |tensor| tensor.values),
        outlier: None,
    })
}
