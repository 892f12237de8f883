//! Pictures and texts that a person should look at.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, html};
use model::thumbnail;

use super::text::{percent, short};
use crate::embedded::{Content, Example, Kind, Outcome};
use crate::metrics::most_probable;
use crate::run::counted;

/// Examples of one kind that are shown.
const MOST_SHOWN: usize = 12;

/// Groups of examples that are alike, of which so many are shown.
const MOST_GROUPS: usize = 8;

/// Examples of a group that are shown.
const MOST_OF_GROUP: usize = 4;

/// The longer side of a picture, in pixels.
const SIDE: u32 = 192;

/// Letters of a text.
const LETTERS: usize = 300;

/// The held-out mistakes, the surest first.
pub(super) fn mistakes(outcome: &Outcome<'_>) -> Markup {
    let mut wrong: Vec<(f32, &Example, usize)> = Vec::new();
    for (index, row) in outcome.split.held_out.iter().zip(outcome.outputs.rows()) {
        let said = most_probable(row);
        if let Some(item) = outcome
            .examples
            .items
            .get(*index)
            .filter(|item| item.code != said)
        {
            wrong.push((row.get(said).copied().unwrap_or_default(), item, said));
        }
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    let noun = outcome.examples.kind.noun();
    html! {
        @if !wrong.is_empty() {
            section aria-labelledby="mistakes" {
                h2 id="mistakes" { "The worst mistakes" }
                p { "Of " (counted(wrong.len(), &format!("held-out {noun}"))) " with a wrong answer, those that the model was surest of." }
                ul.shown.texts[texts(outcome)] {
                    @for (probability, item, said) in wrong.iter().take(MOST_SHOWN) {
                        li {
                            (shown(item))
                            strong { (label(outcome, item.code)) } " taken for " strong { (label(outcome, *said)) } " "
                            (percent(f64::from(*probability)))
                            small.dim { (item.name) }
                        }
                    }
                }
            }
        }
    }
}

/// Training examples whose label the model doubts.
pub(super) fn suspects(outcome: &Outcome<'_>) -> Markup {
    let noun = outcome.examples.kind.noun();
    let all = outcome.suspects;
    let items = all
        .iter()
        .filter_map(|s| Some((s, outcome.examples.items.get(s.row)?)));
    html! {
        @if !all.is_empty() {
            section aria-labelledby="suspects" {
                h2 id="suspects" { "Labels to look at" }
                p {
                    "A model that has not seen them gives " (counted(all.len(), noun)) " of the "
                    (outcome.split.training.len()) " that were learned from another class, as surely as those of that class: a \
                    wrong label, or a hard case."
                    @if all.len() > MOST_SHOWN { " The " (MOST_SHOWN) " most doubted:" }
                }
                ul.shown.texts[texts(outcome)] {
                    @for (suspect, item) in items.take(MOST_SHOWN) {
                        li {
                            (shown(item))
                            "labelled " strong { (label(outcome, item.code)) } " (" (percent(suspect.own)) "), looks like "
                            strong { (label(outcome, suspect.said)) } " (" (percent(suspect.probability)) ")"
                            small.dim { (item.name) }
                        }
                    }
                }
            }
        }
    }
}

/// Groups of examples that are alike, those with different labels first.
pub(super) fn alike(outcome: &Outcome<'_>) -> Markup {
    let groups = outcome.twins.iter().map(|group| {
        let items = group.iter().filter_map(|i| outcome.examples.items.get(*i));
        items.collect::<Vec<_>>()
    });
    let mut groups: Vec<(bool, Vec<&Example>)> = groups
        .map(|items| {
            (
                items
                    .windows(2)
                    .all(|two| code(two.first()) == code(two.last())),
                items,
            )
        })
        .collect();
    groups.sort_by_key(|(same, _)| *same);
    let differing = groups.iter().filter(|(same, _)| !same).count();
    html! {
        @if !groups.is_empty() {
            h3 { "Alike, or nearly so" }
            p {
                (counted(groups.len(), "group"))
                @if differing > 0 { ", " strong { (differing) } " of them with different labels" }
                "; each stands on one side of the split."
                @if groups.len() > MOST_GROUPS { " The first " (MOST_GROUPS) ":" }
            }
            @for (same, items) in groups.iter().take(MOST_GROUPS) {
                ul.shown.texts[texts(outcome)].differ[!same] {
                    @for item in items.iter().take(MOST_OF_GROUP) {
                        li { (shown(item)) strong { (label(outcome, item.code)) } small.dim { (item.name) } }
                    }
                    @if items.len() > MOST_OF_GROUP { li.dim { "and " (items.len() - MOST_OF_GROUP) " more" } }
                }
            }
        }
    }
}

fn texts(outcome: &Outcome<'_>) -> bool {
    outcome.examples.kind == Kind::Texts
}

fn code(item: Option<&&Example>) -> Option<usize> {
    item.map(|item| item.code)
}

fn label<'a>(outcome: &Outcome<'a>, code: usize) -> &'a str {
    outcome.examples.labels.get(code).map_or("", String::as_str)
}

fn shown(item: &Example) -> Markup {
    match &item.content {
        Content::Text(text, _) => html! { q { (short(text, LETTERS)) } },
        Content::File(path, _) => {
            let small = fs::read(path)
                .ok()
                .and_then(|bytes| thumbnail(&bytes, SIDE).ok());
            html! {
                @if let Some(small) = small {
                    img alt="" loading="lazy" src={ "data:image/jpeg;base64," (BASE64_STANDARD.encode(small)) };
                }
            }
        }
    }
}
