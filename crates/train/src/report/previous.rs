//! This version beside the one before.

use std::collections::BTreeMap;

use maud::{Markup, html};
use model::Digest;

use super::text::{number, percent, table};
use crate::metrics::{Figures, Metrics, difference, wilson};
use crate::previous::Former;
use crate::run::counted;

/// What changed since `former`, which is none for a first version.
pub(super) fn section(
    former: Option<&Former>,
    metrics: &Metrics,
    data: &BTreeMap<String, Digest>,
) -> Markup {
    let Some(former) = former else {
        return html! {};
    };
    let figures = metrics.summary();
    let both = figures.iter().filter_map(|(name, new)| {
        let old = former.figures.figures.get(name)?;
        Some((name, *old, *new))
    });
    let rows = html! {
        @for (name, old, new) in both {
            tr {
                th scope="row" { (name.replace('_', " ")) }
                td.n { (number(old)) } td.n { (number(new)) } td.n { (signed(new - old)) }
            }
        }
    };
    html! {
        section aria-labelledby="previous" {
            h2 id="previous" { "Compared with the version before" }
            (chance(former, metrics))
            (table(
                &format!("Figures of {} and of this version, each on its own held-out part", former.figures.version),
                &["figure", "#before", "#now", "#difference"],
                rows,
            ))
            p { (changes(&former.data.0, data)) }
        }
    }
}

/// Whether the accuracies differ by more than chance.
fn chance(former: &Former, metrics: &Metrics) -> Markup {
    let (Figures::Classification(now), Some(before)) =
        (&metrics.figures, former.figures.figures.get("accuracy"))
    else {
        return html! {};
    };
    let rows = former.figures.held_out_rows;
    let hits = (before * rows as f64).round() as usize;
    let (Some(interval), Some(other)) = (now.accuracy_interval, wilson(hits, rows)) else {
        return html! {};
    };
    let [low, high] = difference((now.accuracy, interval), (*before, other));
    html! {
        p {
            @if low > 0.0 { "It is better than the version before" }
            @else if high < 0.0 { "It is worse than the version before" }
            @else { "Chance alone can explain the difference from the version before" }
            ": with 95 % confidence, its accuracy is between " (signed_percent(low)) " and "
            (signed_percent(high)) " apart from that one's."
        }
    }
}

fn signed(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", number(value))
}

fn signed_percent(share: f64) -> String {
    let sign = if share > 0.0 { "+" } else { "" };
    format!("{sign}{}", percent(share))
}

/// Which files are new, changed and gone.
fn changes(before: &BTreeMap<String, Digest>, now: &BTreeMap<String, Digest>) -> String {
    let new = now
        .keys()
        .filter(|path| !before.contains_key(*path))
        .count();
    let gone = before
        .keys()
        .filter(|path| !now.contains_key(*path))
        .count();
    let changed = now
        .iter()
        .filter(|(path, digest)| before.get(*path).is_some_and(|old| old != *digest));
    match (new, changed.count(), gone) {
        (0, 0, 0) => "Both have learned from the same data.".to_owned(),
        (new, changed, gone) => format!(
            "Of its data, {} new, {changed} changed and {gone} gone since then.",
            if new == 1 {
                "1 file is".to_owned()
            } else {
                format!("{} are", counted(new, "file"))
            }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        let files = |files: &[(&str, &str)]| -> BTreeMap<String, Digest> {
            let digest = |text: &str| Digest::of(text.as_bytes());
            files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), digest(text)))
                .collect()
        };
        let before = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
        assert_eq!(
            changes(&before, &before),
            "Both have learned from the same data."
        );
        let now = files(&[("a", "1"), ("b", "2"), ("d", "1")]);
        assert_eq!(
            changes(&before, &now),
            "Of its data, 1 file is new, 1 changed and 1 gone since then."
        );
    }
}
