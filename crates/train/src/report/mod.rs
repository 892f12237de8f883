//! `report.html`: what was learned from what, and how good it is, for people.

mod calibration;
mod charts;
mod data;
mod embedded;
mod examples;
mod learning;
mod model;
mod performance;
mod previous;
mod rows;
pub(crate) mod settings;
pub(crate) mod text;

use anyhow::Result;
pub(crate) use embedded::page as embedded;
use fit::select;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ndarray::Array2;
use text::{number, percent};

use crate::data::{Dataset, Split, Target, Texts};
use crate::experiment::Experiment;
use crate::inspection::Inspection;
use crate::job::Job;
use crate::local::Fitted;
use crate::metrics::{Classification, Figures, Metrics, Regression};
use crate::previous::Former;
use crate::run::counted;

/// The page around `body`.
pub(crate) fn shell(job: &Job, body: &Markup) -> String {
    let title = format!("{} {}", job.model, job.version);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Training report: " (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header {
                    h1 { (job.model) }
                    p.dim { "Training report of version " code { (job.version) } }
                }
                main { (body) }
            }
        }
    };
    page.into_string()
}

/// All that a run has come to.
pub(crate) struct Report<'a> {
    /// Which model and version.
    pub(crate) job: &'a Job,
    /// The settings with the defaults filled in.
    pub(crate) experiment: &'a Experiment,
    /// What was read.
    pub(crate) texts: &'a Texts,
    /// What of it was used.
    pub(crate) data: &'a Dataset,
    /// What was held out.
    pub(crate) split: &'a Split,
    /// The model.
    pub(crate) fitted: &'a Fitted,
    /// The graph's outputs, `[held-out rows, outputs]`.
    pub(crate) outputs: &'a Array2<f32>,
    /// What it achieves.
    pub(crate) metrics: &'a Metrics,
    /// What is odd about the rows.
    pub(crate) inspection: &'a Inspection,
    /// The version before, where one was given.
    pub(crate) former: Option<&'a Former>,
}

impl Report<'_> {
    /// The page, in one file without references to others.
    ///
    /// # Errors
    ///
    /// When a picture cannot be drawn.
    pub(crate) fn page(&self) -> Result<String> {
        let figures = &self.metrics.figures;
        let (verdict, cards, performance) = match figures {
            Figures::Classification(c) => (
                self.classification_verdict(c),
                performance::classification_cards(c),
                performance::classification(c)?,
            ),
            Figures::Regression(r) => (
                self.regression_verdict(r),
                performance::regression_cards(r),
                performance::regression(&self.points())?,
            ),
        };
        let body = html! {
            (verdict)
            (cards)
            (self.convergence())
            (previous::section(self.former, self.metrics, &self.texts.inventory().0))
            (performance)
            @if let Some(calibration) = &self.metrics.calibration { (calibration::section(calibration)?) }
            (learning::section(&self.metrics.learning_curve, "row")?)
            (rows::mistakes(self))
            (rows::suspects(self))
            (model::section(self)?)
            (data::section(self))
            (settings::section(self.job, self.experiment)?)
        };
        Ok(shell(self.job, &body))
    }

    fn classification_verdict(&self, c: &Classification) -> Markup {
        html! {
            p.lead {
                "It tells " strong { (self.data.target_name) } " from "
                (counted(self.data.table.columns.len(), "column")) ", and is right in "
                strong { (percent(c.accuracy)) } " of " (counted(self.split.held_out.len(), "row"))
                " that it has not seen. Always answering the commonest class is right in "
                (percent(c.baseline_accuracy)) "."
            }
            @if let Some(advice) = c.advice() { p.note { (advice) } }
        }
    }

    fn regression_verdict(&self, r: &Regression) -> Markup {
        html! {
            p.lead {
                "It tells " strong { (self.data.target_name) } " from "
                (counted(self.data.table.columns.len(), "column")) ", and is off by "
                strong { (number(r.mae)) } " on average over " (counted(self.split.held_out.len(), "row"))
                " that it has not seen."
            }
            @if let Some(advice) = r.advice() { p.note { (advice) } }
        }
    }

    fn convergence(&self) -> Markup {
        html! {
            @if self.fitted.convergence.is_some_and(|end| !end.converged) {
                p.note {
                    "The fit stopped before it had converged; a higher "
                    code { "hyperparameters.max_iterations" } " or " code { "l2" } " may give a better model."
                }
            }
        }
    }

    /// Actual and predicted number of every held-out row.
    fn points(&self) -> Vec<(f64, f64)> {
        let Target::Numbers(numbers) = &self.data.target else {
            return Vec::new();
        };
        let predicted = self.outputs.iter().map(|value| f64::from(*value));
        select(numbers, &self.split.held_out)
            .into_iter()
            .zip(predicted)
            .collect()
    }
}
