//! `experiment.yaml`: what to learn from the data, and how.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The settings of a training. Every key has a default that suits most tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Experiment {
    /// The column to predict; by default the last one.
    pub target: Option<String>,
    /// Columns that the model must not see.
    pub leave_out: Vec<String>,
    /// Columns to be taken as numbers, whatever they look like.
    pub numeric: Vec<String>,
    /// Columns to be taken as categories, whatever they look like.
    pub categorical: Vec<String>,
    /// What to learn; by default what the target's values suggest.
    pub task: Option<Task>,
    /// The share of rows held out for measuring, between 0 and 1.
    pub split: f64,
    /// The seed of the choice of held-out rows.
    pub seed: u64,
    /// The character between two fields of the data files.
    pub delimiter: char,
    /// A backbone's name, or the folder of one: the data is then pictures or
    /// texts, whichever it takes, and no table.
    pub backbone: Option<String>,
    /// Where the classes of pictures are from; by default where it is clear.
    pub labels: Option<Labels>,
    /// The column of the texts, or of the pictures' file names.
    pub content: Option<String>,
    /// The share of pictures that may be broken, from 0 to 1.
    pub max_broken: f64,
    /// What is tried.
    pub search: Search,
    /// How the model is fitted.
    pub hyperparameters: Hyperparameters,
}

/// How a model is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hyperparameters {
    /// The strength of the L2 penalty, against a loss that is summed over the
    /// rows (the inverse of scikit-learn's `C`, and its `alpha` of a ridge).
    pub l2: f64,
    /// What a row counts.
    pub class_weights: ClassWeights,
    /// The most iterations of the solver; a regression needs none.
    pub max_iterations: u64,
    /// The norm of the mean loss's gradient at which the solver stops.
    pub tolerance: f64,
}

/// Where the classes of pictures are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// The folder that a picture lies in, `dogs/1.jpg`.
    Folder,
    /// The begin of its file name, `dog.1.jpg`.
    Prefix,
    /// A CSV file that lists the pictures.
    Csv,
}

/// What is tried, for a table or for the head of a backbone; cross-validation
/// chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// The kinds of model of a table.
    pub models: Vec<ModelKind>,
    /// The kinds of head; by default `linear` for pictures, and both for texts.
    pub heads: Option<Vec<HeadKind>>,
    /// The strengths of the L2 penalty of a linear head, of features that have
    /// mean 0 and deviation 1.
    pub l2: Vec<f64>,
    /// The parts of the cross-validation.
    pub folds: usize,
}

/// A kind of model of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Multinomial logistic regression, or ridge regression.
    Linear,
    /// Gradient-boosted trees.
    Trees,
}

/// A kind of head on a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Multinomial logistic regression.
    Linear,
    /// A layer of 256 units before it, once for each fold, averaged.
    Mlp,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            models: vec![ModelKind::Linear, ModelKind::Trees],
            heads: None,
            l2: vec![1.0, 10.0, 100.0, 1000.0],
            folds: 5,
        }
    }
}

/// What a row counts in a classification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// Every row counts the same.
    None,
    /// Every class counts the same, however few rows it has.
    Balanced,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            target: None,
            leave_out: Vec::new(),
            numeric: Vec::new(),
            categorical: Vec::new(),
            task: None,
            split: 0.2,
            seed: 0,
            delimiter: ',',
            backbone: None,
            labels: None,
            content: None,
            max_broken: 0.05,
            search: Search::default(),
            hyperparameters: Hyperparameters::default(),
        }
    }
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Self {
            l2: 1.0,
            class_weights: ClassWeights::None,
            max_iterations: 1000,
            tolerance: 1e-6,
        }
    }
}

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
        let text = |e: serde_json::Error| e.to_string();
        let mut all = serde_json::to_value(&self.hyperparameters).map_err(text)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(given.clone());
        }
        self.hyperparameters = serde_json::from_value(all).map_err(text)?;
        self.check()?;
        Ok(self)
    }

    fn parse(text: &str) -> Result<Self, (Option<u64>, String)> {
        let parsed: Result<Option<Self>, _> = serde_saphyr::from_str(text);
        match parsed {
            Ok(experiment) => Ok(experiment.unwrap_or_default()),
            Err(error) => {
                let error = error.without_snippet();
                let line = error.location().map(|location| location.line());
                Err((line, describe(error)))
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let Hyperparameters {
            l2,
            max_iterations,
            tolerance,
            ..
        } = self.hyperparameters;
        let problem = if !(self.split > 0.0 && self.split < 1.0) {
            format!(
                "split is {}, wants a share between 0 and 1 such as 0.2",
                self.split
            )
        } else if !(l2 >= 0.0 && l2.is_finite()) {
            format!("hyperparameters.l2 is {l2}, wants a number of at least 0")
        } else if max_iterations == 0 {
            "hyperparameters.max_iterations is 0, wants at least 1".to_owned()
        } else if !(tolerance > 0.0 && tolerance.is_finite()) {
            format!("hyperparameters.tolerance is {tolerance}, wants a number above 0")
        } else if !self.delimiter.is_ascii() || matches!(self.delimiter, '"' | '\r' | '\n') {
            format!(
                "delimiter is {:?}, wants one ASCII character such as ';'",
                self.delimiter
            )
        } else if !(0.0..=1.0).contains(&self.max_broken) {
            format!(
                "max_broken is {}, wants a share from 0 to 1 such as 0.05",
                self.max_broken
            )
        } else if let Err(problem) = self.search.check() {
            problem
        } else if self.backbone.is_some() && self.task == Some(Task::Regression) {
            "task is regression, but a backbone's head tells classes: leave out one of both"
                .to_owned()
        } else if let Some(name) = self.numeric.iter().find(|n| self.categorical.contains(n)) {
            format!("the column {name:?} is listed under numeric and under categorical")
        } else {
            return Ok(());
        };
        Err(problem)
    }
}

impl Search {
    fn check(&self) -> Result<(), String> {
        if self.l2.is_empty() || self.l2.iter().any(|l2| !(*l2 > 0.0 && l2.is_finite())) {
            return Err("search.l2 wants one or more numbers above 0".to_owned());
        }
        if !(2..=20).contains(&self.folds) {
            return Err(format!("search.folds is {}, wants 2 to 20", self.folds));
        }
        if self.models.is_empty() {
            return Err("search.models is empty, wants linear, trees or both".to_owned());
        }
        match &self.heads {
            Some(heads) if heads.is_empty() => {
                Err("search.heads is empty, wants linear, mlp or both".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The parser's words, with the nearest known key for an unknown one.
fn describe(error: &serde_saphyr::Error) -> String {
    let serde_saphyr::Error::SerdeUnknownField {
        field, expected, ..
    } = error
    else {
        return error.to_string();
    };
    match nearest(field, expected) {
        Some(key) => format!("unknown key {field:?}; did you mean {key:?}?"),
        None => format!("unknown key {field:?}; known are {}", expected.join(", ")),
    }
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
    use super::*;

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
        assert_eq!((read.split, read.seed, read.delimiter), (0.3, 7, ';'));
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
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for text in [
            "split: 0",
            "split: 1",
            "split: .nan",
            "hyperparameters: {l2: -1}",
            "delimiter: \"é\"",
            "hyperparameters: {max_iterations: 0}",
            "numeric: [a]\ncategorical: [a]",
            "hyperparameters: {tolerance: 0}",
            "seed: -1",
            "task: clustering",
            "max_broken: 1.5",
            "search: {l2: []}",
            "search: {l2: [0]}",
            "search: {folds: 1}",
            "search: {heads: []}",
            "search: {models: []}",
            "backbone: b\ntask: regression",
            "split: [1]",
        ] {
            assert!(!refused(text).is_empty(), "{text}");
        }
    }
}
