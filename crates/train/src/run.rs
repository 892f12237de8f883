//! One training, from the files to the published package.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use model::{ModelInfo, Task};

use crate::data::{self, Dataset, Split, Target, Texts};
use crate::evaluation::evaluate;
use crate::experiment::Experiment;
use crate::job::{self, Job};
use crate::local::{self, Fitted};
use crate::progress::{step, warn};
use crate::publication::{self, Published};
use crate::report::Report;
use crate::{Args, embedded, graph};

/// Trains in this process; gives the result's text.
pub(crate) fn local(args: &Args) -> Result<String> {
    let experiment = read_experiment(args)?;
    match experiment.backbone.clone() {
        Some(backbone) => embedded::run(args, experiment, &backbone),
        None => table(args, experiment),
    }
}

/// Trains a model of a table.
fn table(args: &Args, mut experiment: Experiment) -> Result<String> {
    let out = args.out_folder();
    let former = publication::check(&out)?;
    let texts = data::read(&args.data_folder(), &args.input, experiment.delimiter)?;
    tell_data(&texts);
    let job = Job::new(args, job::version(args, &texts.digests(), &experiment));
    if let Some(info) = former {
        return publication::refuse_other(&info, &job, &out).map(|()| already(&info, &out));
    }
    let data = data::prepare(&texts, &experiment)?;
    let split = data::split(
        &data.target,
        experiment.split,
        experiment.seed,
        &data.target_name,
    )?;
    tell_dataset(&data, &split);
    let fitted = local::fit(&data, &split, &experiment)?;
    tell_fit(&fitted, &experiment);
    experiment.target = Some(data.target_name.clone());
    experiment.task = Some(data.task());
    let graph = graph::export(&fitted, data.table.columns.len());
    let evaluation = evaluate(&graph, &fitted, &data, &split)?;
    step(format_args!(
        "checked the graph: it differs from the model by at most {:.1e} on {} held-out rows",
        evaluation.difference,
        split.held_out.len()
    ));
    if let Some(advice) = evaluation.metrics.advice() {
        warn(&advice);
    }
    let report = Report {
        job: &job,
        experiment: &experiment,
        texts: &texts,
        data: &data,
        split: &split,
        fitted: &fitted,
        evaluation: &evaluation,
    };
    let page = report.page().context("cannot draw the report")?;
    let published = Published {
        manifest: publication::manifest(&report)?,
        graph,
        page,
        metrics: &evaluation.metrics,
        job: &job,
        more: BTreeMap::new(),
    };
    let info = published.write(&out)?;
    Ok(result(&info, evaluation.task(), &out))
}

fn read_experiment(args: &Args) -> Result<Experiment> {
    let path = args
        .config
        .as_deref()
        .filter(|path| !path.as_os_str().is_empty());
    let Some(path) = path else {
        step(format_args!(
            "no experiment file: every setting has its default"
        ));
        return Ok(Experiment::default());
    };
    Ok(Experiment::read(&args.below_pfs(path))?)
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
    let task = match &data.target {
        Target::Classes { labels, .. } => {
            tell_seen_once(labels, split);
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

fn tell_seen_once(labels: &[String], split: &Split) {
    let names: Vec<&str> = split
        .seen_once
        .iter()
        .filter_map(|c| labels.get(*c))
        .map(String::as_str)
        .collect();
    if let [first, ..] = names[..] {
        let which = match names.len() {
            1 => format!("the class {first:?} has one row"),
            many => format!("{many} classes have one row, as {first:?}"),
        };
        warn(&format!(
            "{which}: it is learned from, and cannot be measured"
        ));
    }
}

fn tell_fit(fitted: &Fitted, experiment: &Experiment) {
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

pub(crate) fn already(info: &ModelInfo, out: &Path) -> String {
    format!(
        "{} {} is published already in {}: nothing to do\n",
        info.name,
        info.version,
        out.display()
    )
}

pub(crate) fn result(info: &ModelInfo, task: Task, out: &Path) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{key:<12}{value}");
    };
    line("model", &info.name);
    line("version", &info.version);
    let keys: &[&str] = match task {
        Task::Classification => &["accuracy", "macro_f1", "log_loss"],
        Task::Regression => &["rmse", "mae", "r2"],
    };
    for key in keys {
        if let Some(value) = info.metrics.get(*key) {
            line(key, &format!("{value:.4}"));
        }
    }
    line("package", &out.join(publication::PACKAGE).display());
    line(
        "report",
        &out.join(publication::PACKAGE)
            .join(publication::REPORT_FILE)
            .display(),
    );
    line("info", &out.join(model::MODEL_INFO_FILE).display());
    text
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
