//! The column to predict.

use std::collections::{BTreeMap, BTreeSet};

use model::{Task, is_missing};

use super::columns::unknown_column;
use super::{DataError, Texts};
use crate::experiment::Experiment;

/// Numbers with more distinct values than this are measured, not named.
const MOST_NUMBERED_CLASSES: usize = 20;

/// The value to predict of every row that has one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// A class.
    Classes {
        /// The classes, sorted.
        labels: Vec<String>,
        /// The position in `labels`, row by row.
        codes: Vec<usize>,
    },
    /// A number, row by row.
    Numbers(Vec<f64>),
}

impl Target {
    /// The classes, sorted; none of numbers.
    pub(crate) fn labels(&self) -> &[String] {
        match self {
            Self::Classes { labels, .. } => labels,
            Self::Numbers(_) => &[],
        }
    }

    /// The class of a row by its position in `labels`; 0 where there are numbers.
    pub(crate) fn code(&self, row: usize) -> usize {
        match self {
            Self::Classes { codes, .. } => codes.get(row).copied().unwrap_or_default(),
            Self::Numbers(_) => 0,
        }
    }

    /// Adds classes, of which there need be no row.
    pub(crate) fn know(&mut self, before: &[String]) {
        if let Self::Classes { labels, codes } = self {
            know(labels, codes.iter_mut(), before);
        }
    }
}

/// Adds the classes `before` to sorted `labels`, so that these stay sorted; `codes` are
/// positions in them.
pub(crate) fn know<'a>(
    labels: &mut Vec<String>,
    codes: impl Iterator<Item = &'a mut usize>,
    before: &[String],
) {
    let all: BTreeSet<&String> = labels.iter().chain(before).collect();
    let all: Vec<String> = all.into_iter().cloned().collect();
    for code in codes {
        let label = labels.get(*code);
        let known = label.and_then(|label| all.binary_search(label).ok());
        *code = known.unwrap_or_default();
    }
    *labels = all;
}

/// The rows of each class.
pub(crate) fn classes_of(codes: &[usize], classes: usize) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); classes];
    for (row, code) in codes.iter().enumerate() {
        if let Some(of_class) = rows.get_mut(*code) {
            of_class.push(row);
        }
    }
    rows
}

/// The position of the target among the columns: the one that the experiment
/// names, or the last.
pub(super) fn position(texts: &Texts, experiment: &Experiment) -> Result<usize, DataError> {
    let Some(name) = &experiment.target else {
        return Ok(texts.names.len().saturating_sub(1));
    };
    if experiment.leave_out.contains(name) {
        return Err(DataError::Columns(format!(
            "the target {name:?} is also listed under leave_out"
        )));
    }
    let found = texts.names.iter().position(|n| n == name);
    found.ok_or_else(|| unknown_column(texts, "target", name))
}

/// The target of the rows at `rows`, all of which have a value at `position`.
pub(super) fn values(
    texts: &Texts,
    position: usize,
    rows: &[usize],
    experiment: &Experiment,
) -> Result<Target, DataError> {
    let present: Vec<&str> = rows
        .iter()
        .filter_map(|row| texts.rows.get(*row))
        .map(|row| row.field(position))
        .collect();
    let column = texts.names.get(position).cloned().unwrap_or_default();
    let error = |problem: String| DataError::Target {
        column: column.clone(),
        problem,
    };
    if present.is_empty() {
        let named = texts.names.iter().rev().find(|name| !name.is_empty());
        return Err(error(match (named, &experiment.target) {
            (Some(name), None) if column.is_empty() => format!(
                "has no values: it is the last one, as a delimiter ends the header; set `target` to \
                 the one to predict, as `target: {name}`"
            ),
            (_, None) => "has no values; `target` names another one than the last".to_owned(),
            _ => "has no values".to_owned(),
        }));
    }
    let distinct: BTreeSet<&str> = present.iter().copied().collect();
    if let (Some(only), 1) = (distinct.first(), distinct.len()) {
        return Err(error(format!(
            "has the value {only:?} in every row: there is one class only, and nothing to learn"
        )));
    }
    match experiment
        .task
        .unwrap_or_else(|| suggested_task(&present, &distinct))
    {
        Task::Regression => numbers(texts, position, rows).map(Target::Numbers),
        Task::Classification if distinct.len() == present.len() => Err(error(format!(
            "has {} different values in {} rows: every class is seen once only; \
             is it the right target, or a regression (`task: regression`)?",
            distinct.len(),
            present.len()
        ))),
        Task::Classification => Ok(classes(&present, &distinct)),
    }
}

fn suggested_task(present: &[&str], distinct: &BTreeSet<&str>) -> Task {
    let numbers: Option<Vec<f64>> = distinct.iter().map(|text| text.parse().ok()).collect();
    let Some(numbers) = numbers else {
        return Task::Classification;
    };
    let fractions = numbers.iter().any(|number| number.fract() != 0.0);
    if numbers.len() > MOST_NUMBERED_CLASSES || (fractions && numbers.len() * 2 > present.len()) {
        Task::Regression
    } else {
        Task::Classification
    }
}

fn numbers(texts: &Texts, position: usize, rows: &[usize]) -> Result<Vec<f64>, DataError> {
    let rows = rows.iter().filter_map(|row| texts.rows.get(*row));
    rows.map(|row| {
        let text = row.field(position);
        let number = text
            .parse::<f64>()
            .ok()
            .filter(|number| number.abs() < f64::from(f32::MAX));
        number.ok_or_else(|| DataError::Format {
            place: texts.place(row),
            problem: format!(
                "the target {text:?} is not a finite number below 3.4e38, as a regression needs"
            ),
        })
    })
    .collect()
}

fn classes(present: &[&str], distinct: &BTreeSet<&str>) -> Target {
    let code_of: BTreeMap<&str, usize> = distinct
        .iter()
        .enumerate()
        .map(|(code, text)| (*text, code))
        .collect();
    Target::Classes {
        labels: distinct.iter().map(|text| (*text).to_owned()).collect(),
        codes: present
            .iter()
            .filter_map(|text| code_of.get(text).copied())
            .collect(),
    }
}

/// The rows that have a value at `position`.
pub(super) fn rows_with(texts: &Texts, position: usize) -> Vec<usize> {
    let present = texts
        .column(position)
        .enumerate()
        .filter(|(_, text)| !is_missing(text));
    present.map(|(row, _)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(values: &[&str]) -> Task {
        suggested_task(values, &values.iter().copied().collect())
    }

    #[test]
    fn the_values_suggest_the_task() {
        assert_eq!(suggested(&["a", "b", "1"]), Task::Classification);
        assert_eq!(suggested(&["0", "1", "1"]), Task::Classification);
        assert_eq!(suggested(&["0.5", "1.5", "2.25"]), Task::Regression);
        assert_eq!(
            suggested(&["0.5", "1.5", "0.5", "1.5", "0.5"]),
            Task::Classification
        );
        let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        assert_eq!(
            suggested(&many.iter().map(String::as_str).collect::<Vec<_>>()),
            Task::Regression
        );
    }
}
