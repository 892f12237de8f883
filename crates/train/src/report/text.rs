//! Numbers and names as people read them.

use maud::{Markup, Render, html};

use crate::metrics::Interval;

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{}\u{a0}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// A share as a percentage, or a dash where there is none.
pub(super) fn maybe_percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), percent)
}

/// The ends of an interval of shares, as percentages.
pub(super) fn range([low, high]: Interval) -> String {
    format!(
        "{}\u{2013}{}",
        percent(low).trim_end_matches("\u{a0}%"),
        percent(high)
    )
}

/// A number with about four significant digits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of digits"
)]
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = (3.0 - size.log10().floor()).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A name cut to what fits into a chart.
pub(super) fn short(name: &str, longest: usize) -> String {
    match name.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default().trim_end()),
        None => name.to_owned(),
    }
}

/// A table that may be wider than a phone, with its column heads.
pub(crate) fn table(caption: &str, heads: &[&str], rows: impl Render) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads { (column_head(head)) } } }
                tbody { (rows) }
            }
        }
    }
}

/// Heads that start with `#` stand over numbers.
fn column_head(head: &str) -> Markup {
    match head.strip_prefix('#') {
        Some(head) => html! { th.n scope="col" { (head) } },
        None => html! { th scope="col" { (head) } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.123_456, "0.1235"),
            (1234.567, "1235"),
            (-12.5, "-12.5"),
            (1e12, "1.000e12"),
            (120.0, "120"),
            (1e-9, "1.000e-9"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(percent(1.0), "100\u{a0}%");
        assert_eq!(percent(0.9667), "96.7\u{a0}%");
        assert_eq!(short("ééééé", 3), "ééé…");
    }
}
