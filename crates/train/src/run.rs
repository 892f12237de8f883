//! One training, from the files to the published package.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use model::{ModelInfo, Task};

use crate::TrainingOptions;
use crate::interruption::Interruption;
use crate::job::Job;
use crate::publication;
use crate::subject::Subject;

/// Trains in this process; gives the result's text.
pub(crate) fn local(options: &TrainingOptions) -> Result<String> {
    let out = options.out_folder();
    let interruption = Interruption::watch()?;
    let former = publication::check(&out)?;
    let subject = Subject::read(options)?;
    let job = Job::new(options, subject.version(options));
    if let Some(info) = former {
        return publication::refuse_other(&info, &job, &out).map(|()| already(&info, &out));
    }
    let published = subject.train(options, &job)?;
    let task = published.manifest.task;
    interruption.too_late();
    let info = published.write(&out)?;
    Ok(result(&info, task, &out))
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
