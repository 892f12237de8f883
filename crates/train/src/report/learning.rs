//! How the model gets better with more to learn from.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::charts;
use super::text::{number, percent};
use crate::metrics::LearningCurve;

/// A gain below this share of the last figure is none that one should count on.
const FLAT: f64 = 0.01;

/// The curve, where there is more than its last point.
pub(super) fn section(curve: &LearningCurve, noun: &str) -> Result<Markup> {
    let [.., half, whole] = curve.points.as_slice() else {
        return Ok(html! {});
    };
    let shares = curve.figure == "accuracy";
    let shown = |value: f64| match shares {
        true => percent(value),
        false => number(value),
    };
    let gain = match shares {
        true => whole.value - half.value,
        false => (half.value - whole.value) / half.value.max(f64::MIN_POSITIVE),
    };
    let name = if shares { "accuracy" } else { "RMSE" };
    let picture = charts::curve(
        curve,
        &format!("The {name} by the number of {noun}s to learn from"),
    )?;
    Ok(html! {
        section aria-labelledby="learning" {
            h2 id="learning" { "Would more data help?" }
            p {
                "With half of the " (noun) "s to learn from, the " (name) " is " (shown(half.value))
                ", with all of them " (shown(whole.value)) ". "
                @if gain > FLAT { "It was still getting better: more " (noun) "s would probably help." }
                @else { "The last half has changed little: more " (noun) "s of the same kind would probably not help." }
            }
            figure {
                (PreEscaped(picture))
                figcaption {
                    "Models of the same kind that have learned from parts, all measured on the same held-out "
                    (noun) "s." @if shares { " The band is the 95 % confidence interval." }
                }
            }
        }
    })
}
