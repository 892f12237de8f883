//! One training, from the files to the published package.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use model::Task;
use registry::{Condition, Promotion};
use tempfile::TempDir;

use crate::interruption::Interruption;
use crate::job::Job;
use crate::publication::{Former, Out, Outcome, REPORT_FILE};
use crate::registering::Registering;
use crate::subject::Subject;
use crate::{Args, TrainingOptions, metrics, publication};

/// Trains in this process; gives the result's text.
pub(crate) fn local(args: &Args) -> Result<String> {
    let options = &args.training;
    let folder = options.out_folder();
    let condition = args.registry.condition()?;
    let interruption = Interruption::watch()?;
    let former = publication::check(&folder)?;
    let subject = Subject::read(options)?;
    if let Some(condition) = &condition {
        condition.check(&metrics::names(subject.experiment().task))?;
    }
    let condition = condition.or_else(|| subject.experiment().promote_if.clone());
    let job = Job::new(options, subject.version(options)?);
    let publishing = Publishing::new(args, &job, &folder, former, condition)?;
    let out = match &publishing {
        Publishing::Over(text) => return Ok(text.clone()),
        Publishing::To(registering) => Out {
            folder: &folder,
            registering: registering.as_ref(),
        },
    };
    let (options, _fetched) = with_previous(options, out.registering, &job)?;
    let published = subject.train(&options, &job)?;
    let task = published.manifest.task;
    interruption.too_late();
    let outcome = published.write(out)?;
    Ok(result(&outcome, main_figures(task), &folder))
}

/// `options` with the version that the report compares with, where only the registry
/// tells it; it lies in a folder that lives as long as the other part of the result.
fn with_previous<'a>(
    options: &'a TrainingOptions,
    registering: Option<&Registering>,
    job: &Job,
) -> Result<(Cow<'a, TrainingOptions>, Option<TempDir>)> {
    let (Some(registering), None) = (registering, &options.previous) else {
        return Ok((Cow::Borrowed(options), None));
    };
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let options = TrainingOptions {
        previous: registering.previous(job, scratch.path())?,
        ..options.clone()
    };
    Ok((Cow::Owned(options), Some(scratch)))
}

/// What is still to be published.
pub(crate) enum Publishing {
    /// Nothing: an earlier run has, and this is the result's text.
    Over(String),
    /// Everything, and to this registry.
    To(Option<Registering>),
}

impl Publishing {
    /// Ends what a `former` run has left, or opens the registry.
    pub(crate) fn new(
        args: &Args,
        job: &Job,
        folder: &Path,
        former: Option<Former>,
        condition: Option<Condition>,
    ) -> Result<Self> {
        if let Some(former) = &former {
            former.refuse_other(job, folder)?;
        }
        let registering = |condition| args.registry.open(&job.model, condition);
        let candidate = match former {
            None => return Ok(Self::To(registering(condition)?)),
            Some(Former::Candidate(candidate)) => candidate,
            Some(Former::Done(info)) => {
                let registering = match info.registry {
                    Some(_) => None,
                    None => registering(condition)?,
                };
                return Self::done(registering.as_ref(), job, folder);
            }
        };
        let registering = registering(condition)?;
        let outcome = Out {
            folder,
            registering: registering.as_ref(),
        }
        .resume(job)?;
        let figures = main_figures(candidate.task);
        Ok(Self::Over(result(&outcome, figures, folder)))
    }

    /// What is published in `folder` is done, but for the registry, where it is in none.
    fn done(registering: Option<&Registering>, job: &Job, folder: &Path) -> Result<Self> {
        if registering.is_some() {
            let outcome = Out {
                folder,
                registering,
            }
            .register(job)?;
            let figures = [Task::Classification, Task::Regression].map(main_figures);
            let text = result(&outcome, &figures.concat(), folder);
            return Ok(Self::Over(text));
        }
        Ok(Self::Over(format!(
            "{} {} is published already in {}: nothing to do\n",
            job.model,
            job.version,
            folder.display()
        )))
    }
}

/// The figures of a task that a person looks at first.
fn main_figures(task: Task) -> &'static [&'static str] {
    match task {
        Task::Classification => &["accuracy", "macro_f1", "log_loss"],
        Task::Regression => &["rmse", "mae", "r2"],
    }
}

/// The result's text, with these `figures` of all.
pub(crate) fn result(outcome: &Outcome, figures: &[&str], out: &Path) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{key:<12}{value}");
    };
    line("model", &outcome.model);
    line("version", &outcome.version);
    for key in figures {
        if let Some(value) = outcome.metrics.get(*key) {
            line(key, &format_args!("{value:.4}"));
        }
    }
    registry_lines(outcome, &mut line);
    line("package", &outcome.package.display());
    line("report", &outcome.package.join(REPORT_FILE).display());
    if outcome.has_info {
        line("info", &out.join(model::MODEL_INFO_FILE).display());
    }
    text
}

/// Where the version stands in the registry.
pub(crate) fn registry_lines(
    outcome: &Outcome,
    line: &mut dyn FnMut(&str, &dyn std::fmt::Display),
) {
    let Some((version, url)) = &outcome.registered else {
        return;
    };
    line(
        "registry",
        &format_args!("{url} version {}", version.number),
    );
    let Promotion {
        promoted, reason, ..
    } = &version.promotion;
    let verb = if *promoted { "yes" } else { "no" };
    line("promoted", &format_args!("{verb}: {reason}"));
    if !promoted {
        match version.latest {
            Some(latest) => line("latest", &format_args!("version {latest}, as before")),
            None => line("latest", &"none: there is nothing to deploy yet"),
        }
    }
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
