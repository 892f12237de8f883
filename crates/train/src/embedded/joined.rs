//! Backbone and head as one graph, and whether it is the model that was fitted.

use std::fs;

use anyhow::{Context, Result, ensure};
use backbone::{Backbone, Head, Joined, Layer};
use model::{Copies, Engines, Input, Preprocessing, Session, Tensor, Tokenizer};
use ndarray::Array2;

use super::examples::{Content, Examples};
use super::kernel::Kernel;
use super::layers::Layers;
use crate::data::Split;
use crate::engine;
use crate::progress::step;

/// Held-out examples that the joined graph is run on.
const COMPARED: usize = 8;

/// How far its probabilities may be from the model's.
const TOLERANCE: f32 = 1e-4;

/// The same of a kernel: on thousands of points it makes a difference in the sixth digit
/// of the features one in the fourth.
const KERNEL_TOLERANCE: f32 = 1e-3;

/// The graph, and what it gives, once it has shown to be the model that was fitted.
///
/// # Errors
///
/// As [`compare`].
pub(super) fn checked(
    (backbone, engines): (&Backbone, &Engines),
    layers: &Layers,
    examples: &Examples,
    split: &Split,
    outputs: &Array2<f32>,
) -> Result<Joined> {
    let joined = join(backbone, layers)?;
    let signature = (&*backbone.description.inputs, &*joined.outputs);
    let session = engine::open(engines, Copies::One, joined.graph.clone(), signature)
        .context("the exported graph cannot be loaded: this is a fault of this program")?;
    let difference = compare(&session, backbone, examples, split, (layers, outputs))?;
    step(format_args!(
        "checked the graph: it differs from the model by at most {difference:.1e}"
    ));
    Ok(joined)
}

fn join(backbone: &Backbone, layers: &Layers) -> Result<Joined> {
    let narrow: Vec<(Vec<f32>, Vec<f32>)> = layers
        .dense
        .iter()
        .map(|(weights, bias)| {
            let weights = weights.iter().map(|w| *w as f32).collect();
            (weights, bias.iter().map(|b| *b as f32).collect())
        })
        .collect();
    let dense = narrow.iter().map(|(weights, bias)| Layer { weights, bias });
    let kernel = layers.kernel.as_ref();
    let head = Head {
        kernel: kernel.map(Kernel::borrowed).transpose()?,
        layers: dense.collect(),
    };
    Ok(head.on(backbone)?)
}

/// Runs the graph on some held-out examples, as serving will; gives the largest
/// difference from the `outputs` of the head `layers`.
///
/// # Errors
///
/// When the graph cannot be run, or is not the model that was fitted.
fn compare(
    session: &Session,
    backbone: &Backbone,
    examples: &Examples,
    split: &Split,
    (layers, outputs): (&Layers, &Array2<f32>),
) -> Result<f32> {
    let tolerance = match layers.kernel {
        Some(_) => KERNEL_TOLERANCE,
        None => TOLERANCE,
    };
    let stride = split.held_out.len().div_ceil(COMPARED).max(1);
    let mut largest = 0.0_f32;
    for (position, index) in split.held_out.iter().enumerate().step_by(stride) {
        let item = examples.items.get(*index).context("no such example")?;
        let found = session.run_inputs(inputs(backbone, &item.content)?, None)?;
        let found = found
            .into_iter()
            .next()
            .context("the graph gives nothing")?;
        for (found, expected) in found.values.iter().zip(outputs.row(position)) {
            let difference = (found - expected).abs();
            ensure!(
                difference <= tolerance,
                "the exported graph gives {found} for {} where the model gives {expected}: this is \
                 a fault of this program, and nothing was published",
                item.name
            );
            largest = largest.max(difference);
        }
    }
    Ok(largest)
}

/// The graph's inputs for one picture or text.
fn inputs(backbone: &Backbone, content: &Content) -> Result<Vec<Input>> {
    let description = &backbone.description;
    match (&description.preprocessing, content) {
        (Preprocessing::Image(image), Content::File(path, _)) => {
            let bytes =
                fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut values = Vec::new();
            image.encode(&bytes, &mut values)?;
            let shape = vec![1, 3, image.height as usize, image.width as usize];
            Ok(vec![Tensor { shape, values }.into()])
        }
        (Preprocessing::Text(input), Content::Text(text, _)) => {
            let file = backbone
                .tokenizer
                .as_ref()
                .context("there is no tokenizer")?;
            let tokens = Tokenizer::load(file, input)?.encode(&[text])?;
            let inputs = description
                .inputs
                .iter()
                .map(|input| tokens.input(&input.name));
            Ok(inputs.collect::<Result<_, _>>()?)
        }
        _ => anyhow::bail!("the backbone takes something else"),
    }
}
