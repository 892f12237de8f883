//! The page of a model on a backbone.

use std::fs;

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, PreEscaped, html};

use super::text::{number, percent, short, table};
use super::{charts, performance, settings, shell};
use crate::data::classes_of;
use crate::embedded::{Content, Example, Outcome};
use crate::metrics::{Calibration, Figures, most_probable, share};
use crate::run::counted;

/// Mistakes that are shown.
const MOST_MISTAKES: usize = 12;

/// A picture of more bytes is named, not shown.
const MOST_BYTES: usize = 300_000;

/// Rows of a list that people read.
const MOST_ROWS: usize = 50;

/// A class that cross-validation gives less than this is looked at twice.
const DOUBTFUL: f64 = 0.05;

/// The page, in one file without references to others.
///
/// # Errors
///
/// When a chart cannot be drawn.
pub(crate) fn page(outcome: &Outcome<'_>) -> Result<String> {
    let Figures::Classification(figures) = &outcome.metrics.figures else {
        anyhow::bail!("a backbone's head tells classes");
    };
    let noun = outcome.examples.kind.noun();
    let description = &outcome.backbone.description;
    let body = html! {
        p.lead {
            "It tells " (outcome.examples.labels.len()) " classes of " (noun) "s, and is right in "
            strong { (percent(figures.accuracy)) } " of "
            (counted(outcome.split.held_out.len(), noun)) " that it has not seen. Always answering \
            the commonest class is right in " (percent(figures.baseline_accuracy)) "."
        }
        @if let Some(advice) = figures.advice() { p.note { (advice) } }
        (performance::classification_cards(figures))
        (performance::classification(figures)?)
        @if let Some(calibration) = &outcome.metrics.calibration { (calibrated(calibration)?) }
        (mistakes(outcome))
        (suspects(outcome))
        section aria-labelledby="model" {
            h2 id="model" { "The model" }
            p {
                "A head on the backbone " strong { (description.name) } " "
                code { (outcome.backbone.digest) } ", whose weights are under the licence "
                (description.licence.as_ref().map_or("(not stated)", |l| l.weights.as_str())) "."
            }
            (tried(outcome))
        }
        (data(outcome))
        (settings::section(outcome.job, outcome.experiment)?)
    };
    Ok(shell(outcome.job, &body))
}

fn calibrated(calibration: &Calibration) -> Result<Markup> {
    let groups: Vec<(String, Vec<f64>)> = calibration
        .ranges
        .iter()
        .map(|r| {
            let name = format!(
                "{} to {} ({})",
                number(r.from),
                number(r.from + 0.1),
                r.rows
            );
            (name, vec![r.probability, r.accuracy])
        })
        .collect();
    let chart = charts::bars(
        &groups,
        1.0,
        "Probability and share of right answers by range",
    )?;
    Ok(html! {
        section aria-labelledby="calibration" {
            h2 id="calibration" { "What a probability means" }
            p {
                "The scores were divided by the temperature " (number(calibration.temperature))
                ", found in cross-validation. On the held-out part, the highest probability and the \
                share of right answers are " (percent(calibration.expected_error)) " apart on average; \
                they were " (percent(calibration.expected_error_before)) " apart before."
            }
            p.legend aria-hidden="true" {
                span { i.a {} "mean probability" } span { i.b {} "right answers" }
            }
            figure { (PreEscaped(chart)) }
        }
    })
}

/// The held-out mistakes, the surest first.
fn mistakes(outcome: &Outcome<'_>) -> Markup {
    let examples = outcome.examples;
    let label = |code: usize| examples.labels.get(code).map_or("", String::as_str);
    let mut wrong: Vec<(f32, &Example, usize)> = Vec::new();
    for (index, row) in outcome.split.held_out.iter().zip(outcome.outputs.rows()) {
        let said = most_probable(row);
        if let Some(item) = examples.items.get(*index).filter(|item| item.code != said) {
            wrong.push((row.get(said).copied().unwrap_or_default(), item, said));
        }
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    html! {
        @if !wrong.is_empty() {
            section aria-labelledby="mistakes" {
                h2 id="mistakes" { "The worst mistakes" }
                ul.wrong {
                    @for (probability, item, said) in wrong.iter().take(MOST_MISTAKES) {
                        li {
                            (shown(item))
                            strong { (label(item.code)) } " taken for " strong { (label(*said)) } " "
                            (percent(f64::from(*probability)))
                            small.dim { " " (item.name) }
                        }
                    }
                }
            }
        }
    }
}

fn shown(item: &Example) -> Markup {
    match &item.content {
        Content::Text(text, _) => html! { p { (short(text, 300)) } },
        Content::File(path, _) => {
            let bytes = fs::read(path).unwrap_or_default();
            let kind = match bytes.get(..4) {
                Some([0xff, 0xd8, ..]) => "jpeg",
                Some([0x89, b'P', b'N', b'G']) => "png",
                _ => "webp",
            };
            let whole = !bytes.is_empty() && bytes.len() <= MOST_BYTES;
            html! {
                @if whole {
                    img alt="" src={ "data:image/" (kind) ";base64," (BASE64_STANDARD.encode(bytes)) };
                }
            }
        }
    }
}

/// Training examples whose class the model doubts, and pairs that are alike and
/// have different classes.
fn suspects(outcome: &Outcome<'_>) -> Markup {
    let examples = outcome.examples;
    let label = |code: usize| examples.labels.get(code).map_or("", String::as_str);
    let mut doubted: Vec<(f64, &Example, usize)> = Vec::new();
    for (index, row) in outcome
        .split
        .training
        .iter()
        .zip(outcome.chosen.unseen.rows())
    {
        let said = most_probable(row.mapv(|p| p as f32).view());
        if let Some(item) = examples.items.get(*index) {
            let own = row.get(item.code).copied().unwrap_or_default();
            if own < DOUBTFUL {
                doubted.push((own, item, said));
            }
        }
    }
    doubted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows = html! {
        @for (own, item, said) in doubted.iter().take(MOST_ROWS) {
            tr {
                th scope="row" { (item.name) }
                td { (label(item.code)) } td.n { (percent(*own)) } td { (label(*said)) }
            }
        }
    };
    let differing = outcome.twins.iter().filter_map(|group| {
        let items: Vec<&Example> = group
            .iter()
            .filter_map(|i| examples.items.get(*i))
            .collect();
        let first = items.first()?;
        items
            .iter()
            .any(|item| item.code != first.code)
            .then_some(items)
    });
    let differing: Vec<Vec<&Example>> = differing.take(MOST_ROWS).collect();
    html! {
        @if !doubted.is_empty() {
            section aria-labelledby="suspects" {
                h2 id="suspects" { "Labels to look at" }
                p { "A model that has not seen them gives these training examples another class." }
                (table("Suspected label errors", &["example", "label", "#probability", "the model says"], rows))
            }
        }
        @if !differing.is_empty() {
            h3 { "Alike, with different labels" }
            ul { @for group in &differing { li {
                @for item in group { (item.name) " (" (label(item.code)) ") " }
            } } }
        }
    }
}

fn tried(outcome: &Outcome<'_>) -> Markup {
    let rows = html! {
        @for (position, candidate) in outcome.chosen.tried.iter().enumerate() {
            tr {
                th scope="row" { (candidate.words()) @if position == outcome.chosen.best { " (chosen)" } }
                td.n { (number(candidate.log_loss)) }
                td.n { (percent(candidate.accuracy)) }
            }
        }
    };
    table(
        "What cross-validation gave",
        &["head", "#log loss", "#accuracy"],
        rows,
    )
}

fn data(outcome: &Outcome<'_>) -> Markup {
    let examples = outcome.examples;
    let (codes, noun) = (examples.codes(), examples.kind.noun());
    let heads = ["class", &format!("#{noun}s"), "#share"];
    let alike: usize = outcome.twins.iter().map(Vec::len).sum();
    let rows = html! {
        @for (label, of) in examples.labels.iter().zip(classes_of(&codes, examples.labels.len())) {
            tr {
                th scope="row" { (label) } td.n { (of.len()) }
                td.n { (percent(share(of.len(), codes.len()).unwrap_or_default())) }
            }
        }
    };
    let broken = html! {
        @for (name, reason) in &examples.broken {
            tr { th scope="row" { (name) } td { (reason) } }
        }
    };
    html! {
        section aria-labelledby="data" {
            h2 id="data" { "The data" }
            p {
                (counted(codes.len(), noun)) " in " (counted(examples.files.0.len(), "file"))
                ". The model learned from " strong { (outcome.split.training.len()) }
                " and was measured with " strong { (outcome.split.held_out.len()) } " others. "
                @if alike > 0 {
                    (alike) " are alike or nearly so, in " (counted(outcome.twins.len(), "group"))
                    "; each group stands on one side. "
                }
                @if examples.cut > 0 {
                    (counted(examples.cut, "text")) " longer than the backbone reads were cut at the end."
                }
            }
            (table(&format!("The classes of {}", examples.target_name), &heads, rows))
            @if !examples.broken.is_empty() {
                h3 { "Left out" }
                p { (counted(examples.broken.len(), noun)) " could not be used." }
                (table("What the model does not see", &["file", "why"], broken))
            }
        }
    }
}
