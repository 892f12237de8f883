//! What the model was made of.

use maud::{Markup, html};
use model::{Column, ColumnKind};

use super::text::{maybe_percent, number, short, table};
use super::{Report, rows};
use crate::data::{Target, classes_of};
use crate::metrics::share;
use crate::reference::{self, ColumnReference};
use crate::run::counted;

pub(super) fn section(report: &Report<'_>) -> Markup {
    let data = report.data;
    html! {
        section aria-labelledby="data" {
            h2 id="data" { "The data" }
            p {
                (counted(report.texts.rows.len(), "row")) " in " (counted(report.texts.files.len(), "CSV file"))
                @if data.without_target > 0 { ", " (data.without_target) " of them without a target and not used" }
                ". The model learned from " strong { (report.split.training.len()) } " and was measured with "
                strong { (report.split.held_out.len()) } " others."
            }
            (balance(report))
            (rows::alike(report))
            h3 { "Columns that the model takes" }
            (columns(report))
            (left_out(report))
            @for warning in &data.warnings { p.note { (warning) } }
            (files(report))
        }
    }
}

fn balance(report: &Report<'_>) -> Markup {
    let data = report.data;
    let rows = match &data.target {
        Target::Numbers(numbers) => {
            let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            return html! {
                p { "The target " strong { (data.target_name) } " lies between " (number(low)) " and " (number(high)) "." }
            };
        }
        Target::Classes { labels, codes } => html! {
            @for (label, rows) in labels.iter().zip(classes_of(codes, labels.len())) {
                tr { th scope="row" { (label) } td.n { (rows.len()) } td.n { (maybe_percent(share(rows.len(), codes.len()))) } }
            }
        },
    };
    html! {
        (table(&format!("The classes, by {}", data.target_name), &["class", "#rows", "#share"], rows))
        @if !report.split.seen_once.is_empty() {
            p.note {
                (counted(report.split.seen_once.len(), "class")) " with a single row, or copies of one: learned from, and not \
                 measured, as that row cannot be in both parts."
            }
        }
    }
}

fn columns(report: &Report<'_>) -> Markup {
    let data = report.data;
    let references = reference::describe(&data.table, &data.columns, &report.split.training);
    let rows = html! {
        @for (column, reference) in data.table.columns.iter().zip(&references) {
            tr {
                th scope="row" { (column.name) }
                td { @match column.kind { ColumnKind::Numeric => "numeric", _ => "categorical" } }
                td.n { (maybe_percent(share(reference.missing, reference.rows))) }
                td { (values(column, reference)) }
            }
        }
    };
    let heads = ["column", "type", "#missing", "values"];
    table(
        "In the order of the graph's input, with the values of the training rows",
        &heads,
        rows,
    )
}

fn values(column: &Column, reference: &ColumnReference) -> String {
    const MOST: usize = 3;
    match &column.kind {
        ColumnKind::Numeric => match reference.deciles.as_slice() {
            [low, .., high] => {
                let median = reference.deciles.get(5).copied().unwrap_or(*low);
                format!(
                    "{} to {}, median {}",
                    number(*low),
                    number(*high),
                    number(median)
                )
            }
            _ => "none in the training rows".to_owned(),
        },
        ColumnKind::Categorical { categories } => {
            let mut counts: Vec<_> = categories.iter().zip(&reference.counts).collect();
            counts.sort_by(|a, b| b.1.cmp(a.1));
            let names = counts
                .iter()
                .take(MOST)
                .map(|(name, count)| format!("{} ({count})", short(name, 24)));
            let more = match categories.len().saturating_sub(MOST) {
                0 => String::new(),
                more => format!(", {more} more"),
            };
            names.collect::<Vec<_>>().join(", ") + &more
        }
    }
}

fn left_out(report: &Report<'_>) -> Markup {
    let rows = html! {
        @for column in &report.data.left_out {
            tr { th scope="row" { (column.name) } td { (column.reason) } }
        }
        @for file in &report.texts.others {
            tr { th scope="row" { (file) } td { "a file that is not CSV" } }
        }
    };
    html! {
        @if !(report.data.left_out.is_empty() && report.texts.others.is_empty()) {
            h3 { "Left out" }
            (table("What the model does not see", &["column or file", "why"], rows))
        }
    }
}

fn files(report: &Report<'_>) -> Markup {
    const MOST: usize = 200;
    let files = &report.texts.files;
    let rows = html! {
        @for file in files.iter().take(MOST) {
            tr { th scope="row" { (file.path) } td.n { (file.rows) } td { code { (file.digest) } } }
        }
    };
    html! {
        details {
            summary { "The files" }
            @if files.len() > MOST { p.dim { "The first " (MOST) " of " (files.len()) "; model.json lists all." } }
            (table("Files of the data repo", &["file", "#rows", "digest"], rows))
        }
    }
}
