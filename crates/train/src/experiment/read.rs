//! From the text of an experiment file to its settings.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Experiment;

/// Why an experiment file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// It cannot be opened, or is not UTF-8.
    #[error("cannot read the experiment {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not YAML, or a key is unknown or has a wrong value.
    #[error("{}{place}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// `:line` where known.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

impl Experiment {
    /// Reads the file at `path`. An empty file gives the defaults.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not YAML, has an unknown key, or a value is
    /// outside of its range. The error names the line.
    pub fn read(path: &Path) -> Result<Self, ExperimentError> {
        let text = fs::read_to_string(path).map_err(|source| ExperimentError::Read {
            path: path.to_owned(),
            source,
        })?;
        let invalid = |(line, reason): (Option<u64>, String)| ExperimentError::Invalid {
            path: path.to_owned(),
            place: line.map(|l| format!(":{l}")).unwrap_or_default(),
            reason,
        };
        let experiment = Self::parse(&text).map_err(invalid)?;
        experiment
            .check()
            .map_err(|reason| invalid((None, reason)))?;
        Ok(experiment)
    }

    /// These settings with others of the hyperparameters, which are keys of
    /// `hyperparameters`.
    ///
    /// # Errors
    ///
    /// When a key is unknown, or a value is outside of its range.
    pub(crate) fn with_hyperparameters(
        mut self,
        given: &Map<String, Value>,
    ) -> Result<Self, String> {
        if given.contains_key("l2") && self.search.l2.is_some() && self.backbone.is_none() {
            return Err(
                "l2 is chosen by the searcher, and search.l2 lists some to try: leave out one \
                        of both"
                    .to_owned(),
            );
        }
        let text = |e: serde_json::Error| e.to_string();
        let mut all = serde_json::to_value(&self.hyperparameters).map_err(text)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(given.clone());
        }
        self.hyperparameters = serde_json::from_value(all).map_err(text)?;
        self.check()?;
        Ok(self)
    }

    pub(super) fn parse(text: &str) -> Result<Self, (Option<u64>, String)> {
        let parsed: Result<Option<Self>, _> = serde_saphyr::from_str(text);
        match parsed {
            Ok(experiment) => Ok(experiment.unwrap_or_default()),
            Err(error) => {
                let error = error.without_snippet();
                let line = error.location().map(|location| location.line());
                Err((
                    line,
                    describe(error, line.and_then(|line| line_of(text, line))),
                ))
            }
        }
    }
}

/// The text of a line, from 1.
fn line_of(text: &str, line: u64) -> Option<&str> {
    let before = usize::try_from(line).ok()?.checked_sub(1)?;
    let text = text.lines().nth(before)?.trim();
    (!text.is_empty()).then_some(text)
}

/// What is wrong in a `line`, with the nearest known key for an unknown one.
fn describe(error: &serde_saphyr::Error, line: Option<&str>) -> String {
    use serde_saphyr::Error;
    let (field, expected) = match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => (field, expected),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("a key");
            return format!("{key} is set twice: leave out one of both");
        }
        Error::MultipleDocuments { .. } => {
            return "a second document begins here: an experiment is one, without `---`".to_owned();
        }
        _ => return with_line(&in_words(&error.to_string()), line),
    };
    match nearest(field, expected) {
        Some(key) => format!("unknown key {field:?}; did you mean {key:?}?"),
        None => format!("unknown key {field:?}; known are {}", expected.join(", ")),
    }
}

fn with_line(problem: &str, line: Option<&str>) -> String {
    const LONGEST: usize = 60;
    match line {
        Some(line) => {
            let shown: String = line.chars().take(LONGEST).collect();
            format!("{problem} in `{shown}`")
        }
        None => problem.to_owned(),
    }
}

/// What the parser says of a value, without the place and in the words of this program.
fn in_words(said: &str) -> String {
    let said = said.split(" at line ").next().unwrap_or(said);
    let words = match said {
        "invalid u64" => "wants a whole number from 0",
        "invalid floating point" => "wants a number",
        "expected string scalar" => "wants one value, and no list and no keys",
        "expected sequence start" => "wants a list, such as [a, b],",
        "expected mapping start" => "wants keys with values, such as `seed: 1`,",
        other => other,
    };
    words.to_owned()
}

/// The entry of `known` that `word` most probably was meant to be.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    const ALIKE: f64 = 0.7;
    known
        .iter()
        .map(|key| {
            (
                strsim::jaro_winkler(&word.to_lowercase(), &key.to_lowercase()),
                *key,
            )
        })
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use model::Task;

    use super::*;
    use crate::experiment::ClassWeights;

    fn refused(text: &str) -> String {
        let (line, reason) = match Experiment::parse(text) {
            Err(error) => error,
            Ok(experiment) => (None, experiment.check().unwrap_err()),
        };
        format!("{}: {reason}", line.unwrap_or_default())
    }

    #[test]
    fn everything_has_a_default() {
        for text in ["", "# nothing\n", "{}"] {
            assert_eq!(
                Experiment::parse(text).unwrap(),
                Experiment::default(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn all_keys_are_read() {
        let text = "target: y\nleave_out: [id]\nnumeric: [a]\ncategorical: [b]\ntask: regression\n\
                    split: 0.3\nseed: 7\ndelimiter: ';'\nhyperparameters:\n  l2: 0.5\n  \
                    class_weights: balanced\n  max_iterations: 9\n  tolerance: 1e-3\n";
        let read = Experiment::parse(text).unwrap();
        assert_eq!(read.target.as_deref(), Some("y"));
        assert_eq!(read.task, Some(Task::Regression));
        assert_eq!((read.split, read.seed, read.delimiter), (0.3, 7, Some(';')));
        assert_eq!(read.hyperparameters.class_weights, ClassWeights::Balanced);
        assert!(read.check().is_ok());
    }

    #[test]
    fn an_unknown_key_gets_its_line_and_the_nearest_key() {
        assert_eq!(
            refused("seed: 1\nsplitt: 0.1\n"),
            "2: unknown key \"splitt\"; did you mean \"split\"?"
        );
        let nested = refused("hyperparameters:\n  l3: 1\n");
        assert!(nested.starts_with("2: unknown key \"l3\""), "{nested}");
        let far = refused("zzz: 1\n");
        assert!(far.contains("known are target, leave_out"), "{far}");
    }

    #[test]
    fn a_wrong_value_is_shown_with_its_key_and_its_line_once() {
        for (text, expected) in [
            (
                "seed: 1\nsplit: half\n",
                "2: wants a number in `split: half`",
            ),
            ("seed: -1", "1: wants a whole number from 0 in `seed: -1`"),
            (
                "target: [a]",
                "1: wants one value, and no list and no keys in `target: [a]`",
            ),
            (
                "leave_out: x",
                "1: wants a list, such as [a, b], in `leave_out: x`",
            ),
            (
                "search: {models: [tree]}",
                "1: unknown variant `tree`, expected one of linear, trees in `search: {models: [tree]}`",
            ),
            (
                "split: 0.2\nsplit: 0.3\n",
                "2: split is set twice: leave out one of both",
            ),
            (
                "seed: 1\n---\nseed: 2\n",
                "3: a second document begins here: an experiment is one, without `---`",
            ),
        ] {
            assert_eq!(refused(text), expected);
        }
    }

    #[test]
    fn hyperparameters_are_chosen_by_others() {
        let with = |given: Value| {
            let given = given.as_object().unwrap();
            Experiment::default().with_hyperparameters(given)
        };
        let chosen = with(serde_json::json!({"l2": 3})).unwrap().hyperparameters;
        assert_eq!((chosen.l2, chosen.max_iterations), (3.0, 1000));
        assert!(
            with(serde_json::json!({"l2": -1}))
                .unwrap_err()
                .contains("l2")
        );
        let unknown = with(serde_json::json!({"l3": 1})).unwrap_err();
        assert!(unknown.contains("l3"), "{unknown}");
        let tried = Experiment::parse("search: {l2: [1, 2]}").unwrap();
        let twice = serde_json::json!({"l2": 3}).as_object().unwrap().clone();
        let twice = tried.with_hyperparameters(&twice).unwrap_err();
        assert!(twice.contains("search.l2"), "{twice}");
    }
}
