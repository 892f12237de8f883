//! What the model looks at.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::Report;
use super::charts;
use super::text::{number, percent, table};
use crate::data::Target;
use crate::local::Part;

/// Bars and rows of weights beyond these nobody reads.
const MOST_COLUMNS: usize = 15;
const MOST_FEATURES: usize = 60;
const MOST_OUTPUTS: usize = 12;

pub(super) fn section(report: &Report<'_>) -> Result<Markup> {
    let mut columns = importance(report);
    columns.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shown: Vec<(String, Vec<f64>)> = columns
        .iter()
        .take(MOST_COLUMNS)
        .map(|(name, share)| (name.clone(), vec![*share]))
        .collect();
    let longest = columns
        .first()
        .map_or(1.0, |(_, share)| share.max(f64::MIN_POSITIVE));
    let picture = charts::bars(
        &shown,
        longest,
        "Share of each column in the model's scores; the table below has the figures",
    )?;
    let rows = html! {
        @for (name, share) in &columns { tr { th scope="row" { (name) } td.n { (percent(*share)) } } }
    };
    Ok(html! {
        section aria-labelledby="model" {
            h2 id="model" { "What the model looks at" }
            p {
                "How far a typical difference in a column moves the scores, as a share of all columns. Columns that say \
                 the same share the weight between them. It tells what the model uses, not what causes what."
            }
            figure { (PreEscaped(picture)) }
            details { summary { "All columns as a table" } (table("Share of each column", &["column", "#share"], rows)) }
            (weights(report))
        }
    })
}

/// For each column, the mean over the outputs of |weight| × deviation, summed
/// over its features, as a share of all. Class scores count from their mean, as
/// what they have in common changes no probability.
fn importance(report: &Report<'_>) -> Vec<(String, f64)> {
    let table = &report.data.table;
    let mut shares = vec![0.0; table.columns.len()];
    let linear = &report.fitted.linear;
    let features = report.fitted.encoder.features(table);
    for ((feature, weights), spread) in features
        .iter()
        .zip(linear.weights.rows())
        .zip(&report.fitted.spread)
    {
        let centre = if linear.scale.is_some() {
            0.0
        } else {
            weights.mean().unwrap_or_default()
        };
        let moved = weights
            .mapv(|w| (w - centre).abs())
            .mean()
            .unwrap_or_default();
        if let Some(share) = shares.get_mut(feature.column) {
            *share += moved * spread;
        }
    }
    let total: f64 = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let names = table.columns.iter().map(|column| column.name.clone());
    names
        .zip(shares.into_iter().map(|share| share / total))
        .collect()
}

fn weights(report: &Report<'_>) -> Markup {
    let linear = &report.fitted.linear;
    let outputs: Vec<String> = match &report.data.target {
        Target::Classes { labels, .. } => labels
            .iter()
            .take(MOST_OUTPUTS)
            .map(|l| format!("#{l}"))
            .collect(),
        Target::Numbers(_) => vec!["#weight".to_owned()],
    };
    let heads: Vec<&str> = std::iter::once("feature")
        .chain(outputs.iter().map(String::as_str))
        .collect();
    let features = report.fitted.encoder.features(&report.data.table);
    let columns = &report.data.table.columns;
    let rows = html! {
        tr {
            th scope="row" { "bias" }
            @for bias in linear.bias.iter().take(MOST_OUTPUTS) { td.n { (number(*bias)) } }
        }
        @for (feature, weights) in features.iter().zip(linear.weights.rows()).take(MOST_FEATURES) {
            tr {
                th scope="row" {
                    (columns.get(feature.column).map_or("", |c| c.name.as_str()))
                    @match &feature.part {
                        Part::Number => {}
                        Part::Category(category) => { " = " (category) }
                        Part::Missing => { " is missing" }
                    }
                }
                @for weight in weights.iter().take(MOST_OUTPUTS) { td.n { (number(*weight)) } }
            }
        }
    };
    let unit = match linear.scale {
        Some(_) => "Weights, in standard deviations of the target",
        None => "Weights, in logits",
    };
    html! {
        details {
            summary { "The weights" }
            p.dim {
                "Numeric columns are scaled to mean 0 and standard deviation 1 first; all others are 0 or 1."
                @if features.len() > MOST_FEATURES || linear.bias.len() > MOST_OUTPUTS {
                    " The first " (MOST_FEATURES) " of " (features.len()) " features and the first " (MOST_OUTPUTS)
                    " of " (linear.bias.len()) " outputs; the graph model.onnx holds all."
                }
            }
            (table(unit, &heads, rows))
        }
    }
}
