//! The commit of a bump: its files, and nothing else.

use std::path::Path;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use super::plan::{Plan, Raise};
use crate::report;

/// Refuses to go on when a file that the bump changes is changed already: the
/// commit would hold both.
///
/// # Errors
/// When there is such a file, or git does not answer.
pub(crate) fn check(root: &Path, plan: &Plan) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(root);
    let files = files(plan);
    let status = cmd!(sh, "git status --porcelain -- {files...}")
        .quiet()
        .read();
    let status = status.context("--commit needs a git repository")?;
    let changed: Vec<&str> = status.lines().filter_map(|line| line.get(3..)).collect();
    if !changed.is_empty() {
        bail!(
            "not committed yet: {}; commit it first, or take it along with --allow-dirty",
            changed.join(", ")
        );
    }
    Ok(())
}

/// Commits the files of the bump.
///
/// # Errors
/// When git refuses; the files stay changed.
pub(crate) fn commit(root: &Path, plan: &Plan, raises: &[Raise]) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(root);
    let (subject, body) = message(plan, raises);
    let files = files(plan);
    // Files that git does not know yet cannot be named to `commit`.
    let added = files.clone();
    cmd!(sh, "git add -- {added...}").quiet().run()?;
    cmd!(
        sh,
        "git commit --quiet --message {subject} --message {body} -- {files...}"
    )
    .quiet()
    .run()
    .context("the files are changed and not committed")?;
    report::status("Committed", subject);
    Ok(())
}

fn files(plan: &Plan) -> Vec<String> {
    let files = plan
        .changes
        .iter()
        .map(|change| change.path.display().to_string());
    files.collect()
}

fn message(plan: &Plan, raises: &[Raise]) -> (String, String) {
    let raised: Vec<String> = raises
        .iter()
        .map(|raise| format!("{} to {}", raise.name, raise.to))
        .collect();
    let pipelines: Vec<&str> = plan
        .pipelines
        .iter()
        .map(|one| one.pipeline.as_str())
        .collect();
    let body = if pipelines.is_empty() {
        "No pipeline names it.".to_owned()
    } else {
        format!(
            "These pipelines name it and follow: {}.",
            pipelines.join(", ")
        )
    };
    (format!("Raise {}", raised.join(", ")), body)
}
