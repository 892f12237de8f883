//! Trains a model of a table.

use std::collections::BTreeMap;

use anyhow::{Context, Error, Result};
use model::{BaseModel, DATA_FILE, Inventory, REFERENCE_FILE};

use crate::data::{self, Dataset, Split, Target, Texts};
use crate::delta::{Delta, continue_table};
use crate::experiment::Experiment;
use crate::inspection::Inspection;
use crate::job::{self, Job};
use crate::local::{self, Fitted};
use crate::metrics::Metrics;
use crate::previous::Former;
use crate::progress::{step, warn};
use crate::publication::{self, Published};
use crate::report::Report;
use crate::run::counted;
use crate::{TrainingOptions, evaluation, graph, reference};

/// A table that is learned from.
pub(crate) struct Subject {
    /// The settings, as they were given.
    pub(crate) experiment: Experiment,
    texts: Texts,
    /// The digest of each data file, by path below the data folder.
    pub(crate) files: Inventory,
    delta: Option<Delta>,
}

impl Subject {
    /// Reads the table.
    pub(crate) fn read(options: &TrainingOptions, experiment: Experiment) -> Result<Self> {
        let texts = data::read(&options.data_folder(), &options.input, experiment.delimiter)?;
        tell_data(&texts);
        let files = texts.inventory();
        let delta = Delta::find(options, experiment.mode, &files)?;
        Ok(Self {
            experiment,
            texts,
            files,
            delta,
        })
    }

    /// The model that is continued.
    pub(crate) fn base(&self) -> Option<BaseModel> {
        self.delta.as_ref().map(Delta::base)
    }

    /// The version's name.
    pub(crate) fn version(&self, options: &TrainingOptions) -> String {
        match self.base() {
            None => job::version(options, &self.files, &self.experiment),
            Some(base) => job::version(options, &self.files, &(&self.experiment, base)),
        }
    }
}

/// Fits a model to the table and measures it.
pub(crate) fn train<'a>(
    subject: Subject,
    job: &'a Job,
    former: Option<&Former>,
) -> Result<Published<'a>> {
    let base = subject.base();
    let Subject {
        mut experiment,
        texts,
        delta,
        ..
    } = subject;
    let texts = &texts;
    let mut data = data::prepare(texts, &experiment, delta.as_ref().and_then(Delta::table))?;
    if let Some(delta) = &delta {
        continue_table(&mut data, texts, delta, &experiment)?;
    }
    experiment
        .check_promotion(Some(data.task()))
        .map_err(Error::msg)?;
    let split = data::divide(&mut data, &experiment)?;
    tell_dataset(&data, &split);
    let (fitted, unseen) = local::fit(&data, &split, &experiment)?;
    tell_fit(&fitted, &experiment);
    experiment.target = Some(data.target_name.clone());
    experiment.task = Some(data.task());
    let graph = graph::export(&fitted, data.table.columns.len());
    let evaluation = evaluation::evaluate(&graph, &fitted, &data, &split)?;
    step(format_args!(
        "checked the graph: it differs from the model by at most {:.1e} on {} held-out rows",
        evaluation.difference,
        split.held_out.len()
    ));
    let inspection = Inspection::of(&data, &split, unseen.as_ref());
    let figures = evaluation::figures(&data, &split, &split.training, &evaluation.outputs);
    let mut metrics = Metrics::new(
        (split.training.len(), split.held_out.len()),
        figures,
        evaluation::learned(&data, &split, &experiment, &fitted),
        inspection.figures(&data),
    );
    metrics.calibration = evaluation::calibration(&data, &split, &fitted, &evaluation.outputs);
    metrics.previous = former.map(|former| former.figures.clone());
    if let Some(advice) = metrics.advice() {
        warn(&advice);
    }
    let report = Report {
        job,
        experiment: &experiment,
        texts,
        data: &data,
        split: &split,
        fitted: &fitted,
        outputs: &evaluation.outputs,
        metrics: &metrics,
        inspection: &inspection,
        former,
    };
    let reference = reference::of_rows(&data.table, &data.columns, &split.training)?;
    let mut manifest = publication::manifest(&report)?;
    manifest.provenance.base = base;
    Ok(Published {
        manifest,
        page: report.page().context("cannot draw the report")?,
        graph,
        learned: learned(&fitted, &split),
        metrics,
        job,
        more: BTreeMap::from([
            (REFERENCE_FILE.to_owned(), reference),
            (
                DATA_FILE.to_owned(),
                texts.inventory().to_text().into_bytes(),
            ),
        ]),
    })
}

/// How the fit went, in numbers.
fn learned(fitted: &Fitted, split: &Split) -> BTreeMap<String, f64> {
    let (end, compared) = (fitted.convergence, fitted.comparison);
    let figures = [
        ("training_rows", Some(split.training.len() as f64)),
        ("l2", Some(fitted.l2)),
        ("temperature", Some(fitted.temperature)),
        ("gradient", end.map(|end| end.gradient)),
        ("cross_validation_loss", compared.map(|c| c.linear)),
        ("cross_validation_loss_trees", compared.map(|c| c.trees)),
    ];
    let known = figures.into_iter();
    known
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

fn tell_data(texts: &Texts) {
    step(format_args!(
        "read {} of {} columns from {}",
        counted(texts.rows.len(), "row"),
        texts.names.len(),
        counted(texts.files.len(), "CSV file")
    ));
    for other in &texts.others {
        step(format_args!("left out the file {other}, which is not CSV"));
    }
}

fn tell_dataset(data: &Dataset, split: &Split) {
    for column in &data.left_out {
        let line = format!("left out the column {:?}: {}", column.name, column.reason);
        match column.surprising {
            true => warn(&line),
            false => step(format_args!("{line}")),
        }
    }
    data.warnings.iter().for_each(|warning| warn(warning));
    if data.without_target > 0 {
        warn(&format!(
            "left out {} without a target",
            counted(data.without_target, "row")
        ));
    }
    let twins = data::twins(&data.groups);
    if !twins.is_empty() {
        step(format_args!(
            "{} equal others in all columns: they stay on one side of the split",
            counted(twins.iter().map(Vec::len).sum(), "row")
        ));
    }
    let task = match &data.target {
        Target::Classes { labels, .. } => {
            let once = |row: &usize| split.seen_once.contains(&data.target.code(*row));
            let rows = split.training.iter().filter(|row| once(row)).count();
            let what = match rows == split.seen_once.len() {
                true => "one row",
                false => "copies of one row",
            };
            tell_seen_once(labels, split, what);
            format!("classification into {} classes", labels.len())
        }
        Target::Numbers(_) => "regression".to_owned(),
    };
    step(format_args!(
        "{task} of {:?} from {}; {} to learn from, {} held out",
        data.target_name,
        counted(data.table.columns.len(), "column"),
        counted(split.training.len(), "row"),
        split.held_out.len()
    ));
}

/// Warns of the classes that have no more than `what`, and so are not held out.
pub(crate) fn tell_seen_once(labels: &[String], split: &Split, what: &str) {
    let names: Vec<&str> = split
        .seen_once
        .iter()
        .filter_map(|c| labels.get(*c))
        .map(String::as_str)
        .collect();
    if let [first, ..] = names[..] {
        let which = match names.len() {
            1 => format!("the class {first:?} has {what}"),
            many => format!("{many} classes have {what}, as {first:?}"),
        };
        warn(&format!(
            "{which}: it is learned from, and cannot be measured"
        ));
    }
}

fn tell_fit(fitted: &Fitted, experiment: &Experiment) {
    tell_model(fitted, experiment);
    if fitted.temperature != 1.0 {
        step(format_args!(
            "divided the scores by the temperature {:.3}, found in cross-validation",
            fitted.temperature
        ));
    }
}

fn tell_model(fitted: &Fitted, experiment: &Experiment) {
    let features = counted(fitted.encoder.len(), "feature");
    if let Some(compared) = fitted.comparison {
        step(format_args!(
            "cross-validation: loss {:.4} of the linear model, {:.4} of {}",
            compared.linear,
            compared.trees,
            counted(compared.count, "tree")
        ));
    }
    if let Some(trees) = &fitted.trees {
        step(format_args!(
            "fitted {} to {features}",
            counted(trees.trees.len(), "boosted tree")
        ));
        return;
    }
    let Some(end) = fitted.convergence else {
        step(format_args!("fitted a ridge regression to {features}"));
        return;
    };
    step(format_args!(
        "fitted a logistic regression to {features} in {} evaluations; the gradient is {:.1e}",
        end.evaluations, end.gradient
    ));
    if !end.converged {
        warn(&format!(
            "the fit stopped before its gradient was {:.1e}; raise hyperparameters.max_iterations or l2",
            experiment.hyperparameters.tolerance
        ));
    }
}
