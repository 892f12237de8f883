//! `report.html`: what was learned from what, and how good it is, for people.

use anyhow::Result;
use maud::{DOCTYPE, html};

use crate::data::{Dataset, Split, Texts};
use crate::evaluation::Evaluation;
use crate::experiment::Experiment;
use crate::job::Job;
use crate::local::Fitted;

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
    /// What it achieves.
    pub(crate) evaluation: &'a Evaluation,
}

impl Report<'_> {
    /// The page, in one file without references to others.
    pub(crate) fn page(&self) -> Result<String> {
        let page = html! { (DOCTYPE) html lang="en" { head { meta charset="utf-8"; title { (self.job.model) } }
        body { h1 { (self.job.model) } table { @for (name, value) in self.evaluation.metrics.summary() {
            tr { th { (name) } td { (format!("{value:.4}")) } } } } } } };
        Ok(page.into_string())
    }
}
