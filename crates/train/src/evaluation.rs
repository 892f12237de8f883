//! Runs the exported graph on the held-out rows, as serving will run it.
//!
//! What is published is what is measured: every figure comes from the graph's
//! own 32-bit outputs. And the graph must be the model that was fitted.

use anyhow::{Context, Result, ensure};
use model::{Session, Tensor};
use ndarray::{Array2, Axis};

use crate::data::{Dataset, Split, Target};
use crate::graph;
use crate::local::{Fitted, select};
use crate::metrics::{Classification, Figures, Metrics, Regression};

/// How far the graph's outputs may be from the model's: probabilities as they
/// are, predictions in standard deviations of the target.
const TOLERANCE: f64 = 1e-4;

/// Features beyond this lose digits in 32 bits, and the tolerance grows with them.
const FAR: f64 = 100.0;

/// What the graph does with the held-out rows.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// The figures.
    pub(crate) metrics: Metrics,
    /// The graph's outputs, `[held-out rows, outputs]`.
    pub(crate) outputs: Array2<f32>,
    /// The largest difference between the graph and the model.
    pub(crate) difference: f64,
}

/// Loads `graph`, compares it with `fitted`, and measures it.
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
    let figures = match &data.target {
        Target::Classes { labels, codes } => Figures::Classification(Classification::measure(
            labels,
            &outputs,
            &select(codes, &split.held_out),
            &select(codes, &split.training),
        )),
        Target::Numbers(numbers) => {
            let predicted: Vec<f64> = outputs.iter().map(|value| f64::from(*value)).collect();
            let right = select(numbers, &split.held_out);
            Figures::Regression(Regression::measure(
                &predicted,
                &right,
                &select(numbers, &split.training),
            ))
        }
    };
    let metrics = Metrics::new(split.training.len(), split.held_out.len(), figures);
    Ok(Evaluation {
        metrics,
        outputs,
        difference,
    })
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
