//! A linear model out of the graph that it was exported to.

use fit::{Linear, Scale};
use model::Table;
use ndarray::Array2;

use crate::local::Encoder;

/// From these columns to features, and the linear model of them, in a graph that
/// [`export`](super::export) has made; none where it holds trees, or is from elsewhere.
pub(crate) fn linear(graph: &[u8], table: &Table) -> Option<(Encoder, Linear)> {
    let graph = onnx::decode(graph).ok()?.graph?;
    let number = |name: &str| graph.f32s(name)?.first().copied();
    let mut encoder = Encoder::fit(table, &Array2::zeros((0, table.columns.len())));
    if !encoder.numeric.is_empty() {
        let [medians, means, scales] = ["median", "mean", "scale"].map(|name| graph.f32s(name));
        let mut constants = medians?.into_iter().zip(means?).zip(scales?);
        for numeric in &mut encoder.numeric {
            let ((median, mean), scale) = constants.next()?;
            (numeric.median, numeric.mean, numeric.scale) = (median, mean, scale);
        }
    }
    let bias = graph.f32s("bias")?.into_iter().map(f64::from);
    let bias: Vec<f64> = bias.collect();
    let shape = (encoder.len(), bias.len());
    let weights = Array2::from_shape_vec(shape, graph.f32s("weights")?).ok()?;
    let scale = number("target_mean").zip(number("target_deviation"));
    let linear = Linear {
        weights: weights.mapv(f64::from),
        bias: bias.into(),
        scale: scale.map(|(mean, deviation)| Scale { mean, deviation }),
    };
    Some((encoder, linear))
}
