//! Whether a probability means what it says.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::charts::{self, Bar};
use super::text::{number, percent};
use crate::metrics::Calibration;

/// The probabilities beside the shares of right answers.
pub(super) fn section(calibration: &Calibration) -> Result<Markup> {
    let groups: Vec<(String, Vec<Bar>)> = calibration
        .ranges
        .iter()
        .map(|r| {
            let name = format!(
                "{} to {} ({})",
                number(r.from),
                number(r.from + 0.1),
                r.rows
            );
            let right = Bar {
                share: r.accuracy,
                interval: Some(r.accuracy_interval),
            };
            (name, vec![r.probability.into(), right])
        })
        .collect();
    let chart = charts::bars(
        &groups,
        1.0,
        "Probability and share of right answers by range",
    )?;
    // What is divided by 1 is not divided.
    let cooled = calibration.temperature != 1.0;
    Ok(html! {
        section aria-labelledby="calibration" {
            h2 id="calibration" { "What a probability means" }
            p {
                @if cooled {
                    "The scores were divided by the temperature " (number(calibration.temperature))
                    ", found in cross-validation. "
                }
                "On the held-out part, the highest probability and the \
                share of right answers are " (percent(calibration.expected_error)) " apart on average"
                @if cooled {
                    "; they were " (percent(calibration.expected_error_before)) " apart before"
                }
                "."
            }
            p.legend aria-hidden="true" {
                span { i.a {} "mean probability" } span { i.b {} "right answers" }
            }
            figure {
                (PreEscaped(chart))
                figcaption {
                    "By the range of the highest probability, with the number of answers in it. The lines are 95 % \
                     confidence intervals: where one holds the upper bar's end, the probability can be taken as it is."
                }
            }
        }
    })
}
