//! A linear model that is continued on other columns and classes.

use std::collections::BTreeMap;

use fit::Linear;
use model::Table;
use ndarray::{Array1, Array2};

use super::features::Numeric;
use super::{Encoder, Part};

/// The linear model that another one starts with.
#[derive(Debug)]
pub(crate) struct Continued {
    /// Its columns.
    pub(crate) table: Table,
    /// Its classes; empty for a regression.
    pub(crate) labels: Vec<String>,
    /// From these columns to its features.
    pub(crate) encoder: Encoder,
    /// From these features to its scores.
    pub(crate) linear: Linear,
}

impl Continued {
    /// Scales numbers as this model does, where it has the column: its weights then
    /// mean the same, whatever the new rows vary in.
    pub(super) fn scale(&self, encoder: &mut Encoder, table: &Table) {
        let known = self.encoder.numeric.iter();
        let known: BTreeMap<&str, &Numeric> = known
            .filter_map(|numeric| Some((name(&self.table, numeric.column)?, numeric)))
            .collect();
        for numeric in &mut encoder.numeric {
            let found = name(table, numeric.column).and_then(|name| known.get(name));
            if let Some(found) = found {
                *numeric = Numeric {
                    column: numeric.column,
                    ..**found
                };
            }
        }
    }

    /// This model for these features and classes; of what it does not know, all weights
    /// are 0.
    pub(super) fn prior(&self, encoder: &Encoder, table: &Table, labels: &[String]) -> Linear {
        let known = named(&self.encoder, &self.table).into_iter().zip(0..);
        let known: BTreeMap<(&str, Part), usize> = known.collect();
        let features = named(encoder, table).into_iter();
        let features: Vec<Option<usize>> = features.map(|key| known.get(&key).copied()).collect();
        let outputs: Vec<Option<usize>> = match labels.is_empty() {
            true => vec![Some(0)],
            false => {
                let of = |label| self.labels.iter().position(|known| known == label);
                labels.iter().map(of).collect()
            }
        };
        let shape = (features.len(), outputs.len());
        let weights = Array2::from_shape_fn(shape, |(feature, output)| {
            let place = features.get(feature).copied().flatten();
            let place = place.zip(outputs.get(output).copied().flatten());
            let weight = place.and_then(|place| self.linear.weights.get(place));
            weight.copied().unwrap_or_default()
        });
        let bias = outputs.iter().map(|output| {
            let bias = output.and_then(|output| self.linear.bias.get(output));
            bias.copied().unwrap_or_default()
        });
        Linear {
            weights,
            bias: Array1::from_iter(bias),
            scale: self.linear.scale,
        }
    }
}

fn name(table: &Table, column: usize) -> Option<&str> {
    Some(&table.columns.get(column)?.name)
}

/// The features by the names of their columns.
fn named<'a>(encoder: &Encoder, table: &'a Table) -> Vec<(&'a str, Part)> {
    let features = encoder.features(table).into_iter();
    features
        .map(|feature| {
            (
                name(table, feature.column).unwrap_or_default(),
                feature.part,
            )
        })
        .collect()
}
