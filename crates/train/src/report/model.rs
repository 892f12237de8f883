//! What the model looks at.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::Report;
use super::charts::{self, Bar};
use super::text::{number, percent, table};
use crate::data::Target;
use crate::local::Part;
use crate::run::counted;

/// Bars and rows of weights beyond these nobody reads.
const MOST_COLUMNS: usize = 15;
const MOST_FEATURES: usize = 60;
const MOST_OUTPUTS: usize = 12;

pub(super) fn section(report: &Report<'_>) -> Result<Markup> {
    let mut columns = importance(report);
    columns.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shown: Vec<(String, Vec<Bar>)> = columns
        .iter()
        .take(MOST_COLUMNS)
        .map(|(name, share)| (name.clone(), vec![(*share).into()]))
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
                @if report.fitted.trees.is_some() {
                    "How much the trees' questions to a column have lowered the loss"
                } @else {
                    "How far a typical difference in a column moves the scores"
                }
                ", as a share of all columns. Columns that say \
                 the same share the weight between them. It tells what the model uses, not what causes what."
            }
            figure { (PreEscaped(picture)) }
            details { summary { "All columns as a table" } (table("Share of each column", &["column", "#share"], rows)) }
            (compared(report))
            @if report.fitted.trees.is_none() { (weights(report)) }
        }
    })
}

/// For each column, the mean over the outputs of |weight| × deviation, summed
/// over its features, as a share of all; of trees, what its questions have gained. Class scores count from their mean, as
/// what they have in common changes no probability.
fn importance(report: &Report<'_>) -> Vec<(String, f64)> {
    let table = &report.data.table;
    let mut shares = vec![0.0; table.columns.len()];
    let linear = &report.fitted.linear;
    let features = report.fitted.encoder.features(table);
    if let Some(trees) = &report.fitted.trees {
        for (feature, gain) in features.iter().zip(&trees.gains) {
            if let Some(share) = shares.get_mut(feature.column) {
                *share += gain;
            }
        }
        return named(table, &shares);
    }
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
    named(table, &shares)
}

/// The name of each column, and its part of all `shares`.
fn named(table: &model::Table, shares: &[f64]) -> Vec<(String, f64)> {
    let total: f64 = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let names = table.columns.iter().map(|column| column.name.clone());
    names
        .zip(shares.iter().map(|share| share / total))
        .collect()
}

/// How the kinds of model did in the cross-validation.
fn compared(report: &Report<'_>) -> Markup {
    let Some(compared) = report.fitted.comparison else {
        return html! {};
    };
    let unit = match report.fitted.linear.scale {
        Some(_) => "squared error, as a share of the target's variance",
        None => "log loss",
    };
    let kinds = [
        (
            "linear model".to_owned(),
            compared.linear,
            report.fitted.trees.is_none(),
        ),
        (
            counted(compared.count, "boosted tree"),
            compared.trees,
            report.fitted.trees.is_some(),
        ),
    ];
    let rows = html! {
        @for (kind, loss, taken) in &kinds {
            tr { th scope="row" { (kind) @if *taken { " (published)" } } td.n { (number(*loss)) } }
        }
    };
    html! { (table("In cross-validation on the rows learned from", &["model", &format!("#{unit}")], rows)) }
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
