//! Runs the exported graph on the held-out rows, as serving will run it.
//!
//! What is published is what is measured: every figure comes from the graph's
//! own 32-bit outputs. And the graph must be the model that was fitted.

use anyhow::{Context, Result, ensure};
use fit::select;
use model::{Session, Tensor};
use ndarray::{Array2, Axis};

use crate::data::{Dataset, Split, Target};
use crate::experiment::Experiment;
use crate::graph;
use crate::local::{self, Fitted};
use crate::metrics::{Calibration, Classification, Figures, LearningPoint, Regression, learning};
use crate::parallel;

/// How far the graph's outputs may be from the model's: probabilities as they
/// are, predictions in standard deviations of the target.
const TOLERANCE: f64 = 1e-4;

/// Features beyond this lose digits in 32 bits, and the tolerance grows with them.
const FAR: f64 = 100.0;

/// What the graph does with the held-out rows.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// The graph's outputs, `[held-out rows, outputs]`.
    pub(crate) outputs: Array2<f32>,
    /// The largest difference between the graph and the model.
    pub(crate) difference: f64,
}

/// Loads `graph`, runs it on the held-out rows and compares it with `fitted`.
///
/// # Errors
///
/// When the graph cannot be run, or is not the model that was fitted.
pub(crate) fn evaluate(
    graph: &[u8],
    fitted: &Fitted,
    data: &Dataset,
    split: &Split,
) -> Result<Evaluation> {
    let rows = data.columns.select(Axis(0), &split.held_out);
    let outputs = run(graph, fitted, &rows)?;
    let difference = compare(&outputs, fitted, &rows)?;
    Ok(Evaluation {
        outputs,
        difference,
    })
}

/// The figures of `outputs` for the held-out rows, of a model that has learned from the
/// rows at `training`.
pub(crate) fn figures(
    data: &Dataset,
    split: &Split,
    training: &[usize],
    outputs: &Array2<f32>,
) -> Figures {
    match &data.target {
        Target::Classes { labels, codes } => Figures::Classification(Classification::measure(
            labels,
            outputs,
            &select(codes, &split.held_out),
            &select(codes, training),
        )),
        Target::Numbers(numbers) => {
            let predicted: Vec<f64> = outputs.iter().map(|value| f64::from(*value)).collect();
            Figures::Regression(Regression::measure(
                &predicted,
                &select(numbers, &split.held_out),
                &select(numbers, training),
            ))
        }
    }
}

/// How far the probabilities among `outputs` can be trusted, and could before the scores
/// of `fitted` were divided, of a classification.
pub(crate) fn calibration(
    data: &Dataset,
    split: &Split,
    fitted: &Fitted,
    outputs: &Array2<f32>,
) -> Option<Calibration> {
    let Target::Classes { codes, .. } = &data.target else {
        return None;
    };
    let right = select(codes, &split.held_out);
    let before = fitted.uncooled(&data.columns.select(Axis(0), &split.held_out));
    let after = outputs.mapv(f64::from);
    let temperature = fitted.temperature;
    Some(Calibration::measure(temperature, &before, &after, &right))
}

/// The figures of models like `fitted` that have learned from parts of the rows; of
/// those that can be fitted.
pub(crate) fn learned(
    data: &Dataset,
    split: &Split,
    experiment: &Experiment,
    fitted: &Fitted,
) -> Vec<LearningPoint> {
    let codes = match &data.target {
        Target::Classes { codes, .. } => select(codes, &split.training),
        Target::Numbers(_) => vec![0; split.training.len()],
    };
    let held_out = data.columns.select(Axis(0), &split.held_out);
    let parts = learning::parts(&codes, experiment.seed);
    let points = parallel::map(parts.len(), |part| {
        let rows = select(&split.training, parts.get(part)?);
        let fitted = local::refit(data, &rows, experiment, fitted).ok()?;
        let outputs = fitted.predict(&held_out).mapv(|value| value as f32);
        let figures = figures(data, split, &rows, &outputs);
        Some(LearningPoint::new(rows.len(), &figures))
    });
    points.into_iter().flatten().collect()
}

fn run(graph: &[u8], fitted: &Fitted, rows: &Array2<f32>) -> Result<Array2<f32>> {
    let input = graph::input(rows.ncols());
    let output = graph::output(&fitted.linear);
    let session = Session::load(graph.to_vec(), &input, &[output])?;
    let input = Tensor {
        shape: rows.shape().to_vec(),
        values: rows.iter().copied().collect(),
    };
    let outputs = session
        .run(input)?
        .into_iter()
        .next()
        .context("the graph gives no output")?;
    let shape = (rows.nrows(), fitted.linear.bias.len());
    Array2::from_shape_vec(shape, outputs.values).context("the graph's output has another shape")
}

fn compare(outputs: &Array2<f32>, fitted: &Fitted, rows: &Array2<f32>) -> Result<f64> {
    // Trees compare, and lose no digits in what is far.
    let features = match fitted.trees {
        Some(_) => Array2::zeros((rows.nrows(), 1)),
        None => fitted.encoder.encode(rows),
    };
    let expected = fitted.predict(rows);
    let unit = fitted.linear.scale.map_or(1.0, |s| f64::from(s.deviation));
    // A target far from 0 has fewer digits after its point.
    let rounding = fitted
        .linear
        .scale
        .map_or(0.0, |s| f64::from(s.mean.abs() * f32::EPSILON) / unit);
    let mut largest = 0.0_f64;
    let all = outputs
        .rows()
        .into_iter()
        .zip(expected.rows())
        .zip(features.rows());
    for (row, ((outputs, expected), features)) in all.enumerate() {
        let farthest = features.fold(0.0_f64, |a, b| a.max(b.abs()));
        let allowed = TOLERANCE * (farthest / FAR).max(1.0) + 2.0 * rounding;
        for (output, expected) in outputs.iter().zip(expected) {
            let difference = (f64::from(*output) - expected).abs() / unit;
            ensure!(
                difference <= allowed,
                "the exported graph gives {output} on held-out row {} where the model gives {expected}: \
                 this is a fault of this program, and nothing was published",
                row + 1
            );
            largest = largest.max(difference);
        }
    }
    Ok(largest)
}
