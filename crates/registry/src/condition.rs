//! `promote_if`: when a version becomes the latest.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Promotion, Version};

/// Metrics of train whose better side is known: of the first the higher, of the others
/// the lower is better.
const HIGHER: [&str; 4] = ["accuracy", "balanced_accuracy", "macro_f1", "r2"];
const LOWER: [&str; 3] = ["log_loss", "mae", "rmse"];

/// A condition on metrics, as `accuracy >= previous and log_loss < 0.5`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition(Vec<Term>);

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("promote_if {text:?}: {reason}")]
pub struct ConditionError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    metric: String,
    comparison: Comparison,
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    Above,
    AtMost,
    Below,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    /// The same metric of the latest version.
    Previous,
    Number(f64),
}

impl Comparison {
    const ALL: [(&'static str, Self); 4] = [
        (">=", Self::AtLeast),
        (">", Self::Above),
        ("<=", Self::AtMost),
        ("<", Self::Below),
    ];

    fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, comparison)| *comparison == self);
        found.map_or("", |(word, _)| word)
    }

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::AtLeast => value >= bound,
            Self::Above => value > bound,
            Self::AtMost => value <= bound,
            Self::Below => value < bound,
        }
    }

    fn wants_more(self) -> bool {
        matches!(self, Self::AtLeast | Self::Above)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Previous => f.write_str("previous"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.0.iter().enumerate() {
            let joint = if index == 0 { "" } else { " and " };
            let (metric, word, bound) = (&term.metric, term.comparison.word(), term.bound);
            write!(f, "{joint}{metric} {word} {bound}")?;
        }
        Ok(())
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.to_string()
    }
}

impl TryFrom<String> for Condition {
    type Error = ConditionError;

    fn try_from(text: String) -> Result<Self, ConditionError> {
        text.parse()
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let terms = words.split(|word| *word == "and");
        let terms = terms.map(|words| Term::parse(&words.join(" ")));
        let terms = terms.collect::<Result<_, String>>();
        terms.map(Self).map_err(|reason| ConditionError {
            text: text.to_owned(),
            reason,
        })
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, String> {
        let shape = || {
            format!(
                "{text:?} is not METRIC >=, >, <= or < and then previous or a number, \
                 as accuracy >= previous"
            )
        };
        let start = text.find(['<', '>', '=', '!']).ok_or_else(shape)?;
        let (metric, rest) = text.split_at(start);
        let metric = metric.trim();
        let mut comparisons = Comparison::ALL.into_iter();
        let (word, comparison) = comparisons
            .find(|(word, _)| rest.starts_with(word))
            .ok_or_else(shape)?;
        let bound = rest.trim_start_matches(word).trim();
        let bound = match (bound, bound.parse::<f64>()) {
            ("previous", _) => Bound::Previous,
            (_, Ok(number)) if number.is_finite() => Bound::Number(number),
            _ => return Err(shape()),
        };
        if metric.is_empty() || metric.contains(char::is_whitespace) {
            return Err(shape());
        }
        let term = Self {
            metric: metric.to_owned(),
            comparison,
            bound,
        };
        term.check_direction()?;
        Ok(term)
    }

    /// A condition that holds for the worse of two models is a slip.
    fn check_direction(&self) -> Result<(), String> {
        let (metric, more) = (self.metric.as_str(), self.comparison.wants_more());
        let (side, word) = match (HIGHER.contains(&metric), LOWER.contains(&metric)) {
            (true, _) if !more => ("higher", ">="),
            (_, true) if more => ("lower", "<="),
            _ => return Ok(()),
        };
        Err(format!(
            "a {side} {metric} is better: write {metric} {word} {}",
            self.bound
        ))
    }

    /// Whether it holds, and why.
    fn judge(
        &self,
        metrics: &BTreeMap<String, f64>,
        previous: Option<&Version>,
    ) -> Result<String, String> {
        let metric = &self.metric;
        let Some(value) = metrics.get(metric) else {
            let known: Vec<&str> = metrics.keys().map(String::as_str).collect();
            return Err(no_metric(metric, &known));
        };
        let (bound, of) = match (self.bound, previous) {
            (Bound::Number(number), _) => (number, String::new()),
            (Bound::Previous, None) => {
                return Ok(format!("{metric} is {value}, and no version is before it"));
            }
            (Bound::Previous, Some(version)) => {
                let Some(bound) = version.metrics.get(metric) else {
                    return Err(format!(
                        "version {} has no {metric} to compare with",
                        version.number
                    ));
                };
                (*bound, format!(" of version {}", version.number))
            }
        };
        let word = self.comparison.word();
        match self.comparison.holds(*value, bound) {
            true => Ok(format!("{metric} {value} {word} {bound}{of}")),
            false => Err(format!("{metric} is {value}, not {word} {bound}{of}")),
        }
    }
}

fn no_metric(metric: &str, known: &[&str]) -> String {
    let known = match known {
        [] => "none".to_owned(),
        known => known.join(", "),
    };
    format!("there is no metric {metric:?}; there are {known}")
}

impl Condition {
    /// Looks whether all its metrics are among `known`.
    ///
    /// # Errors
    ///
    /// When one is not, with those that are.
    pub fn check(&self, known: &[&str]) -> Result<(), ConditionError> {
        let mut metrics = self.0.iter().map(|term| term.metric.as_str());
        match metrics.find(|metric| !known.contains(metric)) {
            None => Ok(()),
            Some(metric) => Err(ConditionError {
                text: self.to_string(),
                reason: no_metric(metric, known),
            }),
        }
    }

    /// Whether a version with these metrics is promoted over the latest one,
    /// `previous`. A metric that one of the two lacks is a reason not to.
    pub(crate) fn decide(
        condition: Option<&Self>,
        metrics: &BTreeMap<String, f64>,
        previous: Option<&Version>,
    ) -> Promotion {
        let Some(condition) = condition else {
            return Promotion {
                promoted: true,
                promote_if: None,
                reason: "there is no promote_if".to_owned(),
            };
        };
        let judged = condition.0.iter().map(|term| term.judge(metrics, previous));
        let (held, failed): (Vec<_>, Vec<_>) = judged.partition(Result::is_ok);
        let texts = |judged: Vec<Result<String, String>>| {
            let texts = judged
                .into_iter()
                .map(|text| text.unwrap_or_else(|text| text));
            texts.collect::<Vec<_>>().join("; ")
        };
        Promotion {
            promoted: failed.is_empty(),
            promote_if: Some(condition.to_string()),
            reason: texts(if failed.is_empty() { held } else { failed }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    fn refused(text: &str) -> String {
        text.parse::<Condition>().unwrap_err().to_string()
    }

    fn decide(text: &str, accuracy: f64, previous: Option<f64>) -> Promotion {
        let condition: Condition = text.parse().unwrap();
        let previous = previous.map(|accuracy| example(6, accuracy));
        let metrics = BTreeMap::from([("accuracy".to_owned(), accuracy)]);
        Condition::decide(Some(&condition), &metrics, previous.as_ref())
    }

    #[test]
    fn conditions_are_written_and_read() {
        for (text, canonical) in [
            ("accuracy >= previous", "accuracy >= previous"),
            ("accuracy>0.9", "accuracy > 0.9"),
            (
                " accuracy >= previous  and log_loss<=5e-1 ",
                "accuracy >= previous and log_loss <= 0.5",
            ),
            (
                "band < 3 and validation.x > -1",
                "band < 3 and validation.x > -1",
            ),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.to_string(), canonical);
            assert_eq!(canonical.parse::<Condition>().unwrap(), condition);
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in [
            "",
            "accuracy",
            "accuracy >=",
            ">= previous",
            "accuracy == previous",
            "accuracy = 1",
            "accuracy >= best",
            "accuracy >= NaN",
            "accuracy >= inf",
            "accuracy >= previous and",
            "accuracy >= previous log_loss <= previous",
            "my accuracy >= previous",
        ] {
            assert!(refused(text).contains("as accuracy >= previous"), "{text}");
        }
    }

    #[test]
    fn a_condition_that_prefers_the_worse_is_refused() {
        let error = refused("accuracy <= previous");
        assert!(error.contains("write accuracy >= previous"), "{error}");
        let error = refused("log_loss > 0.5");
        assert!(error.contains("write log_loss <= 0.5"), "{error}");
        let own: Condition = "my_cost > previous".parse().unwrap();
        assert_eq!(own.to_string(), "my_cost > previous");
    }

    #[test]
    fn unknown_metrics_are_refused_with_those_that_exist() {
        let condition: Condition = "acuracy >= previous".parse().unwrap();
        let error = condition.check(&["accuracy", "log_loss"]).unwrap_err();
        assert!(
            error.to_string().ends_with("there are accuracy, log_loss"),
            "{error}"
        );
    }

    #[test]
    fn decisions_are_told_with_their_figures() {
        for (text, accuracy, previous, promoted, reason) in [
            (
                "accuracy >= previous",
                0.9,
                Some(0.9),
                true,
                "accuracy 0.9 >= 0.9 of version 6",
            ),
            (
                "accuracy > previous",
                0.9,
                Some(0.9),
                false,
                "accuracy is 0.9, not > 0.9 of version 6",
            ),
            (
                "accuracy >= previous",
                0.1,
                None,
                true,
                "accuracy is 0.1, and no version is before it",
            ),
            (
                "accuracy >= previous and accuracy >= 0.5",
                0.1,
                None,
                false,
                "accuracy is 0.1, not >= 0.5",
            ),
            (
                "r2 >= 0.5",
                0.1,
                None,
                false,
                "there is no metric \"r2\"; there are accuracy",
            ),
        ] {
            let decision = decide(text, accuracy, previous);
            assert_eq!(
                (decision.promoted, decision.reason.as_str()),
                (promoted, reason)
            );
        }
        let condition: Condition = "f1 >= previous".parse().unwrap();
        let metrics = BTreeMap::from([("f1".to_owned(), 0.5)]);
        let decision = Condition::decide(Some(&condition), &metrics, Some(&example(6, 0.5)));
        assert_eq!(decision.reason, "version 6 has no f1 to compare with");
        assert!(!decision.promoted);
    }
}
