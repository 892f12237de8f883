//! Gradient-boosted trees, each with one question a level (oblivious trees, as in
//! [CatBoost]) and one number for each class in its leaves.
//!
//! Such a tree is a table: the answers to its questions are the digits of the
//! row's place in it. The exported graph looks all trees up at once by a few
//! operators of the default set, which every runtime has; the operator
//! `TreeEnsemble` of `ai.onnx.ml`, which other trees are exported to, is not among
//! those of rten.
//!
//! [CatBoost]: https://arxiv.org/abs/1706.09516

mod bins;
mod boost;

use ndarray::{Array1, Array2};

pub use boost::{Curve, Rounds, Targets, best, fit};

/// A question: whether the feature at a position is above a border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The feature's position.
    pub feature: usize,
    /// What it is compared with.
    pub border: f32,
}

/// A tree that asks the same questions of every row.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// The questions; the answer to the one at position `i` counts `2^i`.
    pub questions: Vec<Question>,
    /// What is added to the scores, `[2^questions, outputs]`.
    pub leaves: Array2<f32>,
}

/// The sum of trees.
#[derive(Debug, Clone, PartialEq)]
pub struct Trees {
    /// The trees, all with as many questions.
    pub trees: Vec<Tree>,
    /// The scores before the first tree, `[outputs]`.
    pub start: Array1<f32>,
    /// How much the questions to each feature have lowered the loss.
    pub gains: Vec<f64>,
}

impl Tree {
    /// The row of the leaves that a row of features falls to.
    fn leaf(&self, features: ndarray::ArrayView1<'_, f32>) -> usize {
        let questions = self.questions.iter().enumerate();
        questions.fold(0, |leaf, (level, question)| {
            let above = features
                .get(question.feature)
                .is_some_and(|value| *value > question.border);
            leaf | usize::from(above) << level
        })
    }

    /// Adds the tree's answers to `scores` `[rows, outputs]`.
    fn add(&self, features: &Array2<f32>, scores: &mut Array2<f64>) {
        for (features, mut scores) in features.rows().into_iter().zip(scores.rows_mut()) {
            let leaf = self.leaves.row(self.leaf(features));
            scores.zip_mut_with(&leaf, |score, value| *score += f64::from(*value));
        }
    }
}

impl Trees {
    /// The first `count` of them.
    pub fn first(mut self, count: usize) -> Self {
        self.trees.truncate(count);
        self
    }

    /// Divides all scores by `temperature`.
    pub fn cool(&mut self, temperature: f64) {
        let cooled = |value: f32| (f64::from(value) / temperature) as f32;
        self.start.mapv_inplace(cooled);
        for tree in &mut self.trees {
            tree.leaves.mapv_inplace(cooled);
        }
    }

    /// Scores `[rows, outputs]` of features `[rows, features]`.
    pub fn scores(&self, features: &Array2<f32>) -> Array2<f64> {
        let mut scores = Array2::zeros((features.nrows(), self.start.len()));
        scores += &self.start.mapv(f64::from);
        for tree in &self.trees {
            tree.add(features, &mut scores);
        }
        scores
    }
}
