//! How good the model is on the held-out rows.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::charts::{self, Bar};
use super::text::{maybe_percent, number, percent, range, table};
use crate::metrics::{ClassMetrics, Classification, Interval, Regression};
use crate::run::counted;

/// Pictures and matrices of more classes than this nobody can read.
const MOST_IN_PICTURE: usize = 40;
const MOST_IN_TABLE: usize = 20;

/// The figures at the head of the page.
pub(super) fn cards(cards: &[(&str, String, impl AsRef<str>)]) -> Markup {
    html! {
        dl.cards {
            @for (name, value, meaning) in cards {
                div { dt { (name) } dd { (value) small { (meaning.as_ref()) } } }
            }
        }
    }
}

pub(super) fn classification_cards(c: &Classification) -> Markup {
    cards(&[
        (
            "Accuracy",
            percent(c.accuracy),
            match c.accuracy_interval {
                Some(interval) => format!("right answers; 95\u{a0}% sure: {}", range(interval)),
                None => "right answers".to_owned(),
            },
        ),
        (
            "Balanced accuracy",
            percent(c.balanced_accuracy),
            "every class counts the same".to_owned(),
        ),
        (
            "Macro F1",
            number(c.macro_f1),
            "mean over the classes; 1 is best".to_owned(),
        ),
        (
            "Log loss",
            number(c.log_loss),
            "of the probabilities; 0 is best".to_owned(),
        ),
    ])
}

pub(super) fn regression_cards(r: &Regression) -> Markup {
    let r2 = r.r2.map_or_else(|| "–".to_owned(), number);
    cards(&[
        (
            "RMSE",
            number(r.rmse),
            "typical error; large ones count more",
        ),
        ("MAE", number(r.mae), "mean absolute error"),
        ("R²", r2, "explained share of the variance; 1 is best"),
        (
            "Baseline RMSE",
            number(r.baseline_rmse),
            "of always answering the mean",
        ),
    ])
}

pub(super) fn classification(c: &Classification) -> Result<Markup> {
    let labels: Vec<String> = c.classes.iter().map(|class| class.label.clone()).collect();
    Ok(html! {
        section aria-labelledby="classes" {
            h2 id="classes" { "Class by class" }
            @if c.classes.len() <= MOST_IN_PICTURE { (class_bars(&c.classes)?) }
            (class_table(&c.classes))
            p.dim {
                "Precision: of the rows predicted as this class, how many are. Recall: of the rows of this class, how \
                 many were found. F1: the harmonic mean of both. The lines upon the bars, and the smaller numbers, are \
                 95 % confidence intervals (Wilson's score): so far off may the figures be, as they come from so few rows. \
                 A dash stands where there is nothing to divide."
            }
        }
        section aria-labelledby="confusion" {
            h2 id="confusion" { "What is taken for what" }
            @if labels.len() <= MOST_IN_PICTURE { (confusion_picture(&labels, c)?) }
            (mistakes(c))
            @if labels.len() <= MOST_IN_TABLE { (confusion_table(&labels, c)) }
        }
    })
}

fn class_bars(classes: &[ClassMetrics]) -> Result<Markup> {
    let bar = |(share, interval): (Option<f64>, Option<Interval>)| Bar {
        share: share.unwrap_or_default(),
        interval,
    };
    let figures = |c: &ClassMetrics| c.figures().map(bar).into();
    let groups: Vec<_> = classes
        .iter()
        .map(|c| (c.label.clone(), figures(c)))
        .collect();
    let picture = charts::bars(
        &groups,
        1.0,
        "Precision, recall and F1 of each class; the table below has the figures",
    )?;
    Ok(html! {
        p.legend aria-hidden="true" {
            span { i.a {} "precision" } span { i.b {} "recall" } span { i.c {} "F1" }
        }
        figure { (PreEscaped(picture)) }
    })
}

fn class_table(classes: &[ClassMetrics]) -> Markup {
    let rows = html! {
        @for class in classes {
            tr {
                th scope="row" { (class.label) }
                @for (share, interval) in class.figures() {
                    td.n { (maybe_percent(share)) @if let Some(interval) = interval { small.dim { (range(interval)) } } }
                }
                td.n { (class.support) }
                td.n { (class.training_rows) }
            }
        }
    };
    let heads = [
        "class",
        "#precision",
        "#recall",
        "#F1",
        "#held-out rows",
        "#training rows",
    ];
    table("Figures of each class", &heads, rows)
}

fn confusion_picture(labels: &[String], c: &Classification) -> Result<Markup> {
    let picture = charts::heat_map(
        labels,
        &c.confusion_matrix,
        "Confusion matrix; the table below has the figures",
    )?;
    Ok(html! {
        figure {
            (PreEscaped(picture))
            figcaption {
                "A row for each actual class, a column for each predicted one, in the same order. Right answers lie on \
                 the diagonal; the darker, the larger the share of the row."
            }
        }
    })
}

fn mistakes(c: &Classification) -> Markup {
    const MOST: usize = 8;
    let name = |class: usize| c.classes.get(class).map_or("", |c| c.label.as_str());
    let mut pairs: Vec<(usize, &str, &str)> = Vec::new();
    for (right, row) in c.confusion_matrix.iter().enumerate() {
        let wrong = row
            .iter()
            .enumerate()
            .filter(|(predicted, count)| *predicted != right && **count > 0);
        pairs.extend(wrong.map(|(predicted, count)| (*count, name(right), name(predicted))));
    }
    pairs.sort_by_key(|(count, ..)| std::cmp::Reverse(*count));
    html! {
        @if pairs.is_empty() { p { "There is no mistake among the held-out rows." } }
        @else {
            p { "The most frequent mistakes:" }
            ul {
                @for (count, right, predicted) in pairs.iter().take(MOST) {
                    li { (counted(*count, "row")) " of " strong { (right) } " taken for " strong { (predicted) } }
                }
            }
        }
    }
}

fn confusion_table(labels: &[String], c: &Classification) -> Markup {
    let heads: Vec<String> = std::iter::once("actual \\ predicted".to_owned())
        .chain(labels.iter().map(|l| format!("#{l}")))
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let rows = html! {
        @for (right, (label, counts)) in labels.iter().zip(&c.confusion_matrix).enumerate() {
            tr {
                th scope="row" { (label) }
                @for (predicted, count) in counts.iter().enumerate() {
                    td.n.hit[right == predicted] { (count) }
                }
            }
        }
    };
    html! { details { summary { "The confusion matrix as a table" } (table("Confusion matrix", &heads, rows)) } }
}

pub(super) fn regression(points: &[(f64, f64)]) -> Result<Markup> {
    const MOST: usize = 2000;
    let step = points.len().div_ceil(MOST).max(1);
    let shown: Vec<(f64, f64)> = points.iter().step_by(step).copied().collect();
    let mut worst = points.to_vec();
    worst.sort_by(|a, b| (b.1 - b.0).abs().total_cmp(&(a.1 - a.0).abs()));
    let rows = html! {
        @for (right, predicted) in worst.iter().take(10) {
            tr { td.n { (number(*right)) } td.n { (number(*predicted)) } td.n { (number(predicted - right)) } }
        }
    };
    let picture = charts::scatter(
        &shown,
        "Predicted against actual numbers of the held-out rows",
    )?;
    Ok(html! {
        section aria-labelledby="points" {
            h2 id="points" { "Predicted against actual" }
            figure {
                (PreEscaped(picture))
                figcaption {
                    (counted(shown.len(), "held-out row")) @if step > 1 { " of " (points.len()) }
                    ". On the line, the prediction is exactly right."
                }
            }
            (table("The farthest predictions", &["#actual", "#predicted", "#error"], rows))
        }
    })
}
