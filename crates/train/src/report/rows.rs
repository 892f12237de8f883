//! Rows of a table that a person should look at.

use maud::{Markup, html};

use super::Report;
use super::text::{percent, short, table};
use crate::data::{Row, Target};
use crate::inspection::differ;
use crate::metrics::most_probable;
use crate::run::counted;

/// Rows of one kind that are shown.
const MOST_ROWS: usize = 12;

/// Groups of equal rows that are named.
const MOST_GROUPS: usize = 20;

/// Columns of a row that are shown.
const MOST_COLUMNS: usize = 6;

/// Letters of a value.
const LETTERS: usize = 24;

/// The held-out mistakes of a classification, the surest first.
pub(super) fn mistakes(report: &Report<'_>) -> Markup {
    let Target::Classes { labels, codes } = &report.data.target else {
        return html! {};
    };
    let mut wrong: Vec<(f32, usize, usize, usize)> = Vec::new();
    for (row, outputs) in report.split.held_out.iter().zip(report.outputs.rows()) {
        let said = most_probable(outputs);
        if let Some(code) = codes.get(*row).copied().filter(|code| *code != said) {
            wrong.push((
                outputs.get(said).copied().unwrap_or_default(),
                *row,
                code,
                said,
            ));
        }
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    let label = |code: usize| labels.get(code).map_or("", String::as_str);
    let rows = html! {
        @for (probability, row, code, said) in wrong.iter().take(MOST_ROWS) {
            tr {
                th scope="row" { (place(report, *row)) }
                td { (label(*code)) } td { (label(*said)) } td.n { (percent(f64::from(*probability))) }
                (values(report, *row))
            }
        }
    };
    let heads = heads(report, &["row", "label", "answer", "#probability"]);
    html! {
        @if !wrong.is_empty() {
            section aria-labelledby="mistakes" {
                h2 id="mistakes" { "The worst mistakes" }
                (table("Held-out rows with a wrong answer, the surest first", &refs(&heads), rows))
            }
        }
    }
}

/// Training rows whose labels the model doubts.
pub(super) fn suspects(report: &Report<'_>) -> Markup {
    let (Target::Classes { labels, .. }, Some(all)) =
        (&report.data.target, &report.inspection.suspects)
    else {
        return html! {};
    };
    let label = |code: usize| labels.get(code).map_or("", String::as_str);
    let own = |row: usize| match &report.data.target {
        Target::Classes { codes, .. } => codes.get(row).map_or("", |code| label(*code)),
        Target::Numbers(_) => "",
    };
    let rows = html! {
        @for suspect in all.iter().take(MOST_ROWS) {
            tr {
                th scope="row" { (place(report, suspect.row)) }
                td { (own(suspect.row)) } td.n { (percent(suspect.own)) }
                td { (label(suspect.said)) } td.n { (percent(suspect.probability)) }
                (values(report, suspect.row))
            }
        }
    };
    let heads = heads(
        report,
        &["row", "label", "#probability", "looks like", "#probability"],
    );
    html! {
        @if !all.is_empty() {
            section aria-labelledby="suspects" {
                h2 id="suspects" { "Labels to look at" }
                p {
                    "A model that has not seen them gives " (counted(all.len(), "training row"))
                    " another class, as surely as the rows of that class: a wrong label, or a hard case."
                }
                (table("The most doubted", &refs(&heads), rows))
            }
        }
    }
}

/// Rows that are the same in all columns that the model takes.
pub(super) fn alike(report: &Report<'_>) -> Markup {
    let groups = &report.inspection.alike;
    let mut sorted: Vec<(bool, &Vec<usize>)> = groups
        .iter()
        .map(|group| (!differ(report.data, group), group))
        .collect();
    sorted.sort_by_key(|(same, _)| *same);
    let differing = sorted.iter().filter(|(same, _)| !same).count();
    let both = |group: &&Vec<usize>| {
        group.iter().any(|row| report.split.held_out.contains(row))
            && group.iter().any(|row| report.split.training.contains(row))
    };
    let parted = groups.iter().filter(both).count();
    html! {
        @if !groups.is_empty() {
            h3 { "Equal rows" }
            p {
                (counted(groups.iter().map(Vec::len).sum(), "row")) " in " (counted(groups.len(), "group"))
                " have the same values in all columns that the model takes"
                @if differing > 0 { "; in " strong { (differing) } " of these groups they have different targets" }
                "." @if parted > 0 {
                    " " (counted(parted, "group")) " stand on both sides of the split, which makes the figures look \
                    better than they are."
                }
            }
            details {
                summary { "Which rows" }
                ul { @for (same, group) in sorted.iter().take(MOST_GROUPS) {
                    li {
                        (group.iter().take(MOST_ROWS).map(|row| place(report, *row)).collect::<Vec<_>>().join(", "))
                        @if group.len() > MOST_ROWS { " and " (group.len() - MOST_ROWS) " more" }
                        @if !same { " (different targets)" }
                    }
                } }
            }
        }
    }
}

fn source<'a>(report: &Report<'a>, row: usize) -> Option<&'a Row> {
    report.texts.rows.get(*report.data.rows.get(row)?)
}

/// File and line of a row of the data set.
fn place(report: &Report<'_>, row: usize) -> String {
    let place = source(report, row).map(|row| report.texts.place(row).to_string());
    place.unwrap_or_default()
}

/// The names of the first columns of the model, behind others.
fn heads(report: &Report<'_>, first: &[&str]) -> Vec<String> {
    let columns = report.data.table.columns.iter().take(MOST_COLUMNS);
    let names = columns.map(|column| column.name.as_str());
    first
        .iter()
        .copied()
        .chain(names)
        .map(str::to_owned)
        .collect()
}

fn refs(heads: &[String]) -> Vec<&str> {
    heads.iter().map(String::as_str).collect()
}

/// Cells with the values of these columns, as they stand in the file.
fn values(report: &Report<'_>, row: usize) -> Markup {
    let columns = report.data.table.columns.iter().take(MOST_COLUMNS);
    let positions = columns.map(|column| report.texts.names.iter().position(|n| *n == column.name));
    let fields = positions.map(|position| {
        source(report, row)
            .zip(position)
            .map_or("", |(row, p)| row.field(p))
    });
    html! { @for field in fields { td { (short(field, LETTERS)) } } }
}
