//! Compares a backbone with what other implementations gave.
//!
//! `recorded/record.py` says how the numbers were made. The pictures and texts
//! are chosen so that a wrong order of weights, a wrong padding or a wrong mask
//! shows.

use anyhow::{Context, Result, bail};
use model::{Input, Tensor};
use serde::Deserialize;

use crate::embed::Embedder;

const EFFICIENTNET: &str = include_str!("../recorded/efficientnet-lite0.json");
const MINILM: &str = include_str!("../recorded/all-minilm-l6-v2.json");

/// The largest difference that is accepted, as a share of the largest number.
const TOLERANCE: f32 = 1e-4;

const SIDE: usize = 224;

#[derive(Deserialize)]
struct Picture {
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Texts {
    cases: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    embedding: Vec<f32>,
}

/// Compares EfficientNet-Lite0 on a picture made by a formula; gives the largest
/// difference as a share of the largest number.
pub(crate) fn efficientnet_lite0(embedder: &Embedder) -> Result<f32> {
    let recorded: Picture = serde_json::from_str(EFFICIENTNET)?;
    let input = Input::from(Tensor {
        shape: vec![1, 3, SIDE, SIDE],
        values: picture(),
    });
    let found = embedder.run(vec![input], 1, None)?;
    agree(&found.embeddings, &recorded.embedding).context("on the recorded picture")
}

/// Whole numbers only, so that every language makes the same picture.
fn picture() -> Vec<f32> {
    let value = |c: usize, y: usize, x: usize| {
        (((x * x + 3 * y * y + 5000 * c) / 97 + x * (c + 1)) % 256) as f32
    };
    let plane = |c| (0..SIDE).flat_map(move |y| (0..SIDE).map(move |x| value(c, y, x)));
    let values = (0..3).flat_map(plane);
    values.map(|value| (value - 127.0) / 128.0).collect()
}

/// Compares all-MiniLM-L6-v2 on texts of many lengths, each alone and all at once
/// with padding; gives the largest difference as a share of the largest number.
pub(crate) fn minilm_l6(embedder: &Embedder) -> Result<f32> {
    let recorded: Texts = serde_json::from_str(MINILM)?;
    let texts: Vec<&str> = recorded.cases.iter().map(|c| c.text.as_str()).collect();
    let (together, _) = embedder.texts(&texts, None)?;
    let mut largest = 0.0_f32;
    for (index, case) in recorded.cases.iter().enumerate() {
        let (alone, _) = embedder.texts(&[&case.text], None)?;
        let width = case.embedding.len();
        let padded = together.embeddings.iter().skip(index * width).take(width);
        let padded: Vec<f32> = padded.copied().collect();
        for found in [alone.embeddings, padded] {
            let difference = agree(&found, &case.embedding);
            let start: String = case.text.chars().take(40).collect();
            let difference = difference.with_context(|| format!("on the text {start:?}"))?;
            largest = largest.max(difference);
        }
    }
    Ok(largest)
}

fn agree(found: &[f32], recorded: &[f32]) -> Result<f32> {
    if found.len() != recorded.len() {
        bail!("{} numbers, recorded are {}", found.len(), recorded.len());
    }
    let scale = recorded
        .iter()
        .fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let pairs = found.iter().zip(recorded).enumerate();
    let mut largest = 0.0_f32;
    for (index, (found, recorded)) in pairs {
        let difference = (found - recorded).abs() / scale;
        if difference.is_nan() || difference > TOLERANCE {
            bail!("number {index} of the embedding is {found}, recorded is {recorded}");
        }
        largest = largest.max(difference);
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_is_named() {
        assert_eq!(agree(&[1.0, 2.0], &[1.0, 2.0]).unwrap(), 0.0);
        let error = agree(&[1.0, 2.1], &[1.0, 2.0]).unwrap_err().to_string();
        assert_eq!(error, "number 1 of the embedding is 2.1, recorded is 2");
        assert!(agree(&[1.0, f32::NAN], &[1.0, 2.0]).is_err());
        assert!(agree(&[1.0], &[1.0, 2.0]).is_err());
    }
}
