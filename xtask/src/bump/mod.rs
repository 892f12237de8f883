//! `cargo xtask bump`.

mod advice;
mod commit;
pub(crate) mod manifest;
mod plan;
mod replace;
#[cfg(test)]
mod soup;
mod version;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::images::{self, place::PlaceArgs};
use crate::workspace::Workspace;
use crate::{check, interrupt, report};
use plan::{Plan, Raise, Rules};
use replace::{Guard, Recovered};

/// Raise an image's version everywhere: the crate, the lock file and every
/// pipeline that names the image.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask bump serve                  0.0.1 -> 0.0.2
  cargo xtask bump train deploy minor     0.0.1 -> 0.1.0, both
  cargo xtask bump serve 1.0.0-rc.1       to this very version
  cargo xtask bump serve --dry-run        say what would change
  cargo xtask bump --changed --commit     whatever needs it, as one commit
  cargo xtask bump serve 0.0.1 --move-from gcr.io/PROJECT
                                          move references to the configured registry")]
pub(crate) struct Args {
    /// Images, then patch (if left out), minor, major or a version
    #[arg(required_unless_present_any = ["check", "changed"], value_name = "NAME… [STEP]")]
    words: Vec<String>,
    /// Raise all images whose content differs from what is published under
    /// their version; builds them to know
    #[arg(long)]
    changed: bool,
    /// Commit the changed files, and nothing else
    #[arg(long)]
    commit: bool,
    /// Commit also what was changed in these files before
    #[arg(long, requires = "commit")]
    allow_dirty: bool,
    /// Change nothing; fail when versions and references disagree
    #[arg(long, conflicts_with_all = ["words", "changed", "commit", "dry_run", "move_from"])]
    check: bool,
    /// Print what would change and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Allow a version that is not higher than the present one
    #[arg(long)]
    allow_downgrade: bool,
    /// Raise the crate although no pipeline names the image
    #[arg(long)]
    unused: bool,
    /// Move references that stand in this registry and project to ours
    #[arg(long, value_name = "REGISTRY/PROJECT")]
    move_from: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        if self.check {
            return check::run(workspace, &self.place, false, false);
        }
        interrupt::listen()?;
        let _guard = Guard::take(&workspace.root)?;
        if !recover(workspace)? {
            return Ok(ExitCode::FAILURE);
        }
        // The versions may have been restored just now.
        let workspace = &workspace.again()?;
        let raises = self.raises(workspace)?;
        if raises.is_empty() {
            report::status(
                "Kept",
                "all versions: the registry holds nothing else under them",
            );
            return Ok(ExitCode::SUCCESS);
        }
        let place = self.place.unchecked(workspace);
        let rules = Rules {
            place: &place,
            move_from: self.move_from.as_deref(),
            allow_downgrade: self.allow_downgrade,
            unused: self.unused,
        };
        let plan = plan::plan(workspace, &raises, &rules)?;
        show(&plan, &raises)?;
        if !plan.problems.is_empty() {
            bail!(
                "{}; no file was changed",
                report::count(plan.problems.len(), "problem")
            );
        }
        if self.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        if self.commit && !self.allow_dirty {
            commit::check(&workspace.root, &plan)?;
        }
        let what: Vec<String> = raises.iter().map(Raise::describe).collect();
        replace::replace(&workspace.root, &what.join(", "), &plan.changes, || {
            if interrupt::requested() {
                bail!("interrupted");
            }
            Ok(())
        })?;
        if self.commit {
            commit::commit(&workspace.root, &plan, &raises)?;
        }
        advise(&plan, &raises);
        Ok(ExitCode::SUCCESS)
    }

    fn raises(&self, workspace: &Workspace) -> Result<Vec<Raise>> {
        let (mut names, step) = version::parse(&self.words)?;
        if self.changed {
            let changed = images::changed(workspace, &self.place)?;
            names = match names.as_slice() {
                [] => changed,
                _ => bail!("--changed finds the names itself; give a step at most"),
            };
            if names.is_empty() {
                return Ok(Vec::new());
            }
        }
        if names.is_empty() {
            bail!("name the image to raise, as in `cargo xtask bump serve`");
        }
        let raise = |image: &crate::workspace::Image| {
            let from = image.version.clone();
            // Moving references alone needs no new version.
            let same = self.move_from.is_some() && step == version::Step::Exact(from.clone());
            let to = step.after(&from, self.allow_downgrade || same)?;
            let name = image.name.clone();
            Ok(Raise { name, from, to })
        };
        let images = workspace.select(&names)?;
        images.into_iter().map(raise).collect()
    }
}

impl Raise {
    fn describe(&self) -> String {
        format!("{} {} -> {}", self.name, self.from, self.to)
    }
}

/// Deals with a bump that was killed; whether to go on with this one.
fn recover(workspace: &Workspace) -> Result<bool> {
    match replace::recover(&workspace.root)? {
        Recovered::Nothing => Ok(true),
        Recovered::Undone {
            what,
            replaced,
            kept,
        } => {
            let text = format!(
                "the interrupted bump of {what}, which had changed {}",
                report::count(replaced, "file")
            );
            report::status("Undone", text);
            for path in kept {
                report::warning(format_args!(
                    "{} was edited since and stays",
                    path.display()
                ));
            }
            Ok(true)
        }
        Recovered::Complete(what) => {
            report::error(format_args!(
                "the interrupted bump of {what} was complete; run the command again to raise once more"
            ));
            Ok(false)
        }
    }
}

/// Changed strings on stdout, one a line; everything else is talk.
fn show(plan: &Plan, raises: &[Raise]) -> Result<()> {
    for raise in raises {
        report::status("Raising", raise.describe());
    }
    for left in &plan.left {
        report::status("Left", left);
    }
    for problem in &plan.problems {
        report::error(problem);
    }
    if !plan.problems.is_empty() {
        return Ok(());
    }
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    for line in &plan.lines {
        let plan::Changed {
            file,
            line,
            path,
            before,
            after,
        } = line;
        writeln!(stdout, "{file}:{line}: {path}: {before} -> {after}")?;
    }
    stdout.flush()?;
    Ok(())
}

/// So many commands are spelt out.
const SHOWN: usize = 20;

/// What has to follow before the cluster runs the new version.
fn advise(plan: &Plan, raises: &[Raise]) {
    let names: Vec<&str> = raises.iter().map(|raise| raise.name.as_str()).collect();
    let images = format!("cargo xtask images {} --push", names.join(" "));
    report::status("Next", images);
    let updates = advice::updates(&plan.pipelines);
    for update in updates.iter().take(SHOWN) {
        report::status("Next", update);
    }
    if updates.len() > SHOWN {
        let more = report::count(updates.len() - SHOWN, "descriptor");
        report::status(
            "Next",
            format_args!("the same for {more} more, listed above"),
        );
    }
}
