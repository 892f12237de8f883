//! Which values make sense.

use model::Task;

use super::{Experiment, HeadKind, Hyperparameters, Mode, ModelKind, Search};
use crate::metrics;

/// Whether a CSV reader can tell fields by it.
fn is_delimiter(it: char) -> bool {
    it.is_ascii() && !matches!(it, '"' | '\r' | '\n')
}

impl Experiment {
    /// Why a value is outside of its range, or does not go with another one.
    pub(super) fn check(&self) -> Result<(), String> {
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
        } else if let Some(delimiter) = self.delimiter.filter(|it| !is_delimiter(*it)) {
            format!("delimiter is {delimiter:?}, wants one ASCII character such as ';'")
        } else if !(0.0..=1.0).contains(&self.max_broken) {
            format!(
                "max_broken is {}, wants a share from 0 to 1 such as 0.05",
                self.max_broken
            )
        } else if let Err(problem) = self.check_backbone() {
            problem
        } else if let Err(problem) = self.check_mode() {
            problem
        } else if let Err(problem) = self.search.check() {
            problem
        } else if self.lists_unused_penalties() {
            "search.l2 lists penalties of linear models, of which search tries none: leave it out"
                .to_owned()
        } else if let Err(problem) = self.check_promotion(self.task) {
            problem
        } else if let Some(name) = self.numeric.iter().find(|n| self.categorical.contains(n)) {
            format!("the column {name:?} is listed under numeric and under categorical")
        } else {
            return Ok(());
        };
        Err(problem)
    }
}

impl Experiment {
    /// Whether there are penalties for a table, and no linear model that has one.
    fn lists_unused_penalties(&self) -> bool {
        let tried = self.search.models.contains(&ModelKind::Linear);
        self.backbone.is_none() && self.search.l2.is_some() && !tried
    }

    /// Looks for keys that would do nothing, with a backbone or without.
    fn check_backbone(&self) -> Result<(), String> {
        if self.backbone.is_some() {
            if self.task == Some(Task::Regression) {
                let problem = "task is regression, but a backbone's head tells classes: leave out \
                               one of both";
                return Err(problem.to_owned());
            }
            let l2 = self.hyperparameters.l2;
            if l2 != Hyperparameters::default().l2 {
                return Err(format!(
                    "hyperparameters.l2 is {l2}, and is for tables: with a backbone, \
                     `search: {{l2: [{l2}]}}` says what is tried"
                ));
            }
            return Ok(());
        }
        let keys = [
            ("labels", self.labels.is_some()),
            ("content", self.content.is_some()),
            ("search.heads", self.search.heads.is_some()),
        ];
        match keys.into_iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(format!(
                "{key} is for pictures and texts, which need a backbone: name one under \
                 `backbone`, or leave out {key}"
            )),
            None => Ok(()),
        }
    }

    fn check_mode(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.keep) {
            return Err(format!(
                "keep is {}, wants a share from 0 to 1 such as 0.1",
                self.keep
            ));
        }
        let problem = match &self.search.heads {
            _ if self.mode == Mode::All => return Ok(()),
            _ if self.backbone.is_none() => {
                if self.tries(ModelKind::Linear) {
                    return Ok(());
                }
                "mode is delta, which continues a linear model, and search.models does not list \
                 it: leave out one of both"
            }
            Some(heads) if heads.iter().any(|head| *head != HeadKind::Linear) => {
                "mode is delta, which continues a linear head, and search.heads lists others: \
                 leave out one of both"
            }
            _ => return Ok(()),
        };
        Err(problem.to_owned())
    }
}

impl Experiment {
    /// Looks whether the metrics of `promote_if` are some that a training of this task
    /// measures.
    pub(crate) fn check_promotion(&self, task: Option<Task>) -> Result<(), String> {
        let condition = self.promote_if.as_ref();
        let task = task.or(self.backbone.is_some().then_some(Task::Classification));
        let checked = condition.map_or(Ok(()), |given| given.check(&metrics::names(task)));
        checked.map_err(|error| error.to_string())
    }
}

impl Search {
    fn check(&self) -> Result<(), String> {
        let wrong = |l2: &f64| !(*l2 > 0.0 && l2.is_finite());
        let l2 = self.l2.as_ref();
        if l2.is_some_and(|l2| l2.is_empty() || l2.iter().any(wrong)) {
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
                Err("search.heads is empty, wants one or more of linear, mlp, kernel".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match Experiment::parse(text) {
            Err((_, reason)) => reason,
            Ok(experiment) => experiment.check().unwrap_err(),
        }
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
            "mode: delta\nsearch: {models: [trees]}",
            "mode: delta\nbackbone: b\nsearch: {heads: [mlp]}",
            "mode: some",
            "keep: -0.1",
            "search: {l2: []}",
            "search: {l2: [0]}",
            "search: {l2: [1], models: [trees]}",
            "search: {folds: 1}",
            "search: {heads: []}",
            "search: {models: []}",
            "backbone: b\ntask: regression",
            "backbone: b\nhyperparameters: {l2: 2}",
            "labels: folder",
            "content: text",
            "search: {heads: [linear]}",
            "split: [1]",
            "promote_if: accuracy",
            "promote_if: accuracy <= previous",
            "promote_if: acuracy >= previous",
            "task: regression\npromote_if: accuracy >= previous",
        ] {
            assert!(!refused(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn keys_that_would_do_nothing_are_named() {
        for (text, words) in [
            (
                "content: x",
                "name one under `backbone`, or leave out content",
            ),
            ("search: {heads: [mlp]}", "leave out search.heads"),
            (
                "backbone: b\nhyperparameters: {l2: 0.5}",
                "`search: {l2: [0.5]}` says what is tried",
            ),
        ] {
            let reason = refused(text);
            assert!(reason.contains(words), "{reason}");
        }
        let both = "backbone: b\nlabels: folder\ncontent: x\nsearch: {heads: [mlp]}";
        assert_eq!(Experiment::parse(both).unwrap().check(), Ok(()));
    }
}
