//! The page of a model on a backbone.

use anyhow::Result;
use maud::{Markup, html};

use super::text::{number, percent, table};
use super::{calibration, examples, learning, performance, previous, settings, shell};
use crate::data::classes_of;
use crate::embedded::Outcome;
use crate::metrics::{Figures, share};
use crate::run::counted;

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
        (previous::section(outcome.former, outcome.metrics, &outcome.examples.files.0))
        (performance::classification(figures)?)
        @if let Some(calibration) = &outcome.metrics.calibration { (calibration::section(calibration)?) }
        (learning::section(&outcome.metrics.learning_curve, noun)?)
        (examples::mistakes(outcome))
        (examples::suspects(outcome))
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
    let all = outcome.examples;
    let (codes, noun) = (all.codes(), all.kind.noun());
    let heads = ["class", &format!("#{noun}s"), "#share"];
    let alike: usize = outcome.twins.iter().map(Vec::len).sum();
    let rows = html! {
        @for (label, of) in all.labels.iter().zip(classes_of(&codes, all.labels.len())) {
            tr {
                th scope="row" { (label) } td.n { (of.len()) }
                td.n { (percent(share(of.len(), codes.len()).unwrap_or_default())) }
            }
        }
    };
    let broken = html! {
        @for (name, reason) in &all.broken {
            tr { th scope="row" { (name) } td { (reason) } }
        }
    };
    html! {
        section aria-labelledby="data" {
            h2 id="data" { "The data" }
            p {
                (counted(codes.len(), noun)) " in " (counted(all.files.0.len(), "file"))
                ". The model learned from " strong { (outcome.split.training.len()) }
                " and was measured with " strong { (outcome.split.held_out.len()) } " others. "
                @if alike > 0 {
                    (alike) " are alike or nearly so, in " (counted(outcome.twins.len(), "group"))
                    "; each group stands on one side. "
                }
                @if all.cut > 0 {
                    (counted(all.cut, "text")) " longer than the backbone reads were cut at the end."
                }
            }
            (table(&format!("The classes, by {}", all.target_name), &heads, rows))
            (examples::alike(outcome))
            @if !all.broken.is_empty() {
                h3 { "Left out" }
                p { (counted(all.broken.len(), noun)) " could not be used." }
                (table("What the model does not see", &["file", "why"], broken))
            }
        }
    }
}
