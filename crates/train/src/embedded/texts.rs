//! Reads texts and their classes, of a table or of files.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use model::is_missing;

use super::examples::{Content, Example, Examples, Kind, coded};
use super::text_files;
use crate::TrainingOptions;
use crate::data::{self, Texts};
use crate::experiment::Experiment;
use crate::progress::{step, warn};
use crate::run::counted;

/// Reads every text that has a class: text files, or the rows of CSV files.
pub(super) fn read(args: &TrainingOptions, experiment: &Experiment) -> Result<Examples> {
    match text_files::read(args, experiment)? {
        Some(examples) => Ok(examples),
        None => rows(args, experiment),
    }
}

/// Reads every row that has a text and a class.
fn rows(args: &TrainingOptions, experiment: &Experiment) -> Result<Examples> {
    let texts = data::read(&args.data_folder(), &args.input, experiment.delimiter)?;
    let (content, target) = texts.content_and_target(experiment, "text")?;
    let mut kept = Vec::new();
    let none: Arc<str> = Arc::from("");
    let mut classes = Vec::new();
    for row in &texts.rows {
        let (text, class) = (row.field(content), row.field(target));
        if !text.is_empty() && !is_missing(class) {
            let file = Arc::clone(texts.path(row).unwrap_or(&none));
            kept.push((texts.place(row).to_string(), text.to_owned(), file));
            classes.push(class.to_owned());
        }
    }
    let without = texts.rows.len() - kept.len();
    if without > 0 {
        warn(&format!(
            "left out {} without a text or a class",
            counted(without, "row")
        ));
    }
    ensure!(!kept.is_empty(), "no row has both a text and a class");
    for other in &texts.others {
        step(format_args!("left out the file {other}, which is not CSV"));
    }
    step(format_args!(
        "read {} from {}",
        counted(kept.len(), "text"),
        counted(texts.files.len(), "CSV file")
    ));
    let (labels, codes) = coded(&classes);
    let items = kept
        .into_iter()
        .zip(codes)
        .map(|((name, text, file), code)| Example {
            name,
            code,
            content: Content::Text(text, file),
        });
    Ok(Examples {
        kind: Kind::Texts,
        items: items.collect(),
        labels,
        target_name: texts.names.get(target).cloned().unwrap_or_default(),
        // Where that was set, it has to be set again.
        labelled_by: experiment.labels,
        files: texts.inventory(),
        broken: Vec::new(),
        cut: 0,
        known_before: BTreeSet::new(),
    })
}

impl Texts {
    /// The positions of the column that holds the content, by default the one
    /// called `usual` or the only one beside the target, and of the target, by
    /// default the one called `label` or the last.
    pub(super) fn content_and_target(
        &self,
        experiment: &Experiment,
        usual: &str,
    ) -> Result<(usize, usize)> {
        let all = self.names.join(", ");
        let position = |name: &str| self.names.iter().position(|n| n == name);
        let named = |key: &str, name: &String| match position(name) {
            Some(found) => Ok(found),
            None => bail!(
                "the experiment names the column {name:?} under {key}, which the data does not \
                 have; its columns are {all}"
            ),
        };
        let target = match &experiment.target {
            Some(name) => named("target", name)?,
            None => position("label").unwrap_or(self.names.len().saturating_sub(1)),
        };
        let others: Vec<usize> = (0..self.names.len()).filter(|p| *p != target).collect();
        let content = match (&experiment.content, position(usual), &others[..]) {
            (Some(name), ..) => named("content", name)?,
            (None, Some(found), _) => found,
            (None, None, [only]) => *only,
            _ => bail!(
                "no column is called {usual:?}: name the one that holds it under `content`; the \
                 columns are {all}"
            ),
        };
        ensure!(
            content != target,
            "content and target are the same column: name both in the experiment; the columns are \
             {all}"
        );
        Ok((content, target))
    }
}
