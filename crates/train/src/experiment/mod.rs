//! `experiment.yaml`: what to learn from the data, and how.

mod check;
mod read;

pub use fit::{ClassWeights, Hyperparameters};
use model::Task;
use registry::Condition;
use serde::{Deserialize, Serialize};

pub use self::read::ExperimentError;
pub(crate) use self::read::nearest;

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
    /// The character between two fields of the data files; by default what stands
    /// in the first line of each, `,` before others.
    pub delimiter: Option<char>,
    /// A backbone's name, or the folder or URL of one: the data is then pictures or
    /// texts, whichever it takes, and no table.
    pub backbone: Option<String>,
    /// Where the classes of pictures, or of texts that are files, are from; by default
    /// where it is clear.
    pub labels: Option<Labels>,
    /// The column of the texts, or of the pictures' file names.
    pub content: Option<String>,
    /// The share of pictures, or of text files, that may be broken, from 0 to 1.
    pub max_broken: f64,
    /// Which data is learned from.
    pub mode: Mode,
    /// The share of the old examples that `mode: delta` learns from again, from 0 to
    /// 1, against forgetting them.
    pub keep: f64,
    /// When a version becomes the latest of its registry; by default always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote_if: Option<Condition>,
    /// What is tried.
    pub search: Search,
    /// How the model is fitted.
    pub hyperparameters: Hyperparameters,
}

/// Where the classes of pictures, or of texts that are files, are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// The folder that a file lies in, `dogs/1.jpg`.
    Folder,
    /// The begin of its file name, `dog.1.jpg`.
    Prefix,
    /// A CSV file that lists the pictures, or holds the texts.
    Csv,
}

/// Which data is learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// All of it, old and new together.
    All,
    /// What is new since the last model, which is continued.
    Delta,
}

/// What is tried, for a table or for the head of a backbone; cross-validation
/// chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// The kinds of model of a table.
    pub models: Vec<ModelKind>,
    /// The kinds of head; by default `linear` for pictures and `kernel` for texts.
    pub heads: Option<Vec<HeadKind>>,
    /// The strengths of the L2 penalty of a linear model or head, of features that have
    /// mean 0 and deviation 1; by default that of the hyperparameters for a table, and
    /// four for a head.
    pub l2: Option<Vec<f64>>,
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
    /// The likeness with every example that was learned from before it.
    Kernel,
}

impl Search {
    /// The penalties of a linear head that are tried.
    pub(crate) fn of_heads(&self) -> Vec<f64> {
        let given = self.l2.clone();
        given.unwrap_or_else(|| vec![1.0, 10.0, 100.0, 1000.0])
    }
}

impl Experiment {
    /// The linear models of a table that are tried, by their penalties.
    pub(crate) fn penalties(&self) -> Vec<Hyperparameters> {
        let given = self.search.l2.clone();
        let given = given.unwrap_or_else(|| vec![self.hyperparameters.l2]);
        let with = |l2| Hyperparameters {
            l2,
            ..self.hyperparameters.clone()
        };
        given.into_iter().map(with).collect()
    }

    /// Whether a model of this kind is tried for a table. Trees cannot be continued, so
    /// that a model which may be is linear from the first commit on.
    pub(crate) fn tries(&self, kind: ModelKind) -> bool {
        let may = self.mode == Mode::All || kind == ModelKind::Linear;
        may && self.search.models.contains(&kind)
    }
}

impl Default for Search {
    fn default() -> Self {
        Self {
            models: vec![ModelKind::Linear, ModelKind::Trees],
            heads: None,
            l2: None,
            folds: 5,
        }
    }
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
            delimiter: None,
            backbone: None,
            labels: None,
            content: None,
            max_broken: 0.05,
            promote_if: None,
            mode: Mode::All,
            keep: 0.1,
            search: Search::default(),
            hyperparameters: Hyperparameters::default(),
        }
    }
}
