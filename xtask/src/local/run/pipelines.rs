//! Runs the pipelines that have new input, one after the other.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use super::Run;
use super::follow::Following;
use crate::descriptor::Descriptor;
use crate::local::job::{Finished, Outcome, Runner};
use crate::local::process::{reap, tail};
use crate::local::publish;
use crate::local::repo::Commit;
use crate::local::serving::Wanted;
use crate::report;

/// The file that deploy leaves for the cluster, and this runner applies.
const MANIFEST_FILE: &str = "seldon-deployment.yaml";

impl Run<'_> {
    /// Brings all repos up to date and gives what is to be served, or `None` when
    /// a job failed.
    pub(super) fn pipelines(&self) -> Result<Option<Vec<Wanted>>> {
        let _lock = self.state.lock_run()?;
        reap(&self.state.job_processes())?;
        self.state.sweep()?;
        let id = self.take_in()?;
        let runner = Runner {
            state: &self.state,
            launcher: &self.launcher,
            secrets: &self.secrets,
            use_case: self.args.use_case(),
            id: &id,
        };
        let mut failed: Vec<&str> = Vec::new();
        for pipeline in &self.plan.pipelines {
            let inputs = pipeline.spec.input.leaves();
            if let Some(input) = inputs
                .iter()
                .find(|input| failed.contains(&input.repo.as_str()))
            {
                report::warning(format!(
                    "{} cannot run: {} failed",
                    pipeline.name(),
                    input.repo
                ));
                runner.unrunnable(pipeline, &input.repo)?;
                failed.push(pipeline.name());
            } else if !self.pipeline(&runner, pipeline)? {
                failed.push(pipeline.name());
            }
        }
        publish::remove(&self.state.run())?;
        if failed.is_empty() {
            self.apply().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Runs one pipeline; `false` when its job failed.
    fn pipeline(&self, runner: &Runner<'_>, pipeline: &Descriptor) -> Result<bool> {
        let name = pipeline.name();
        let reprocess = match &self.args.reprocess {
            Some(Some(only)) => only == name,
            Some(None) => true,
            None => false,
        };
        let started = Instant::now();
        let mut following = None;
        let announce = |log: &Path| {
            let command = pipeline.spec.transform.cmd.join(" ");
            report::status("Running", format!("{name}: {command}"));
            report::status("Log", self.state.short(log));
            following = Following::start(log);
        };
        let outcome = runner.run(pipeline, reprocess, announce);
        drop(following);
        match outcome? {
            Outcome::Skipped { head, changed } => {
                let what = "data and configuration unchanged since job";
                report::status("Skipped", format!("{name}: {what} {}", head.id));
                if changed {
                    report::warning(format!(
                        "the program of {name} has changed since; \
                         --reprocess={name} runs it again"
                    ));
                }
                self.show_output(name, &head);
                Ok(true)
            }
            Outcome::Success(finished) => {
                show_end(name, &finished, started.elapsed().as_secs_f64());
                self.show_output(name, &finished.commit);
                Ok(true)
            }
            Outcome::Failed { reason, log } => {
                let end = tail(&log);
                report::error(format!(
                    "{name} failed: {reason}{end}\n  whole log: {}",
                    self.state.short(&log)
                ));
                Ok(false)
            }
        }
    }

    fn show_output(&self, pipeline: &str, commit: &Commit) {
        let files = self.state.repo(pipeline).files(&commit.id);
        report::status("Output", self.state.short(&files));
        if let Some(page) = commit.find(".html") {
            report::status("Report", self.state.short(&files.join(page)));
        }
    }

    /// Applies the manifests that the pipelines have made.
    fn apply(&self) -> Result<Vec<Wanted>> {
        let mut all = Vec::new();
        for pipeline in &self.plan.pipelines {
            let repo = self.state.repo(pipeline.name());
            let Some(head) = repo.head()? else { continue };
            if !head.files.contains_key(MANIFEST_FILE) {
                continue;
            }
            let path = repo.files(&head.id).join(MANIFEST_FILE);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let wanted = Wanted::apply(&self.state, &text)
                .with_context(|| self.state.short(&path).to_string())?;
            all.push(wanted);
        }
        Ok(all)
    }
}

fn show_end(name: &str, finished: &Finished, seconds: f64) {
    let id = &finished.commit.id;
    let mut text = format!("{name}: job {id} in {seconds:.1} s");
    if finished.skipped > 0 || finished.processed > 1 {
        let (processed, skipped) = (finished.processed, finished.skipped);
        text = format!("{text}; processed {processed}, skipped {skipped}");
    }
    report::status("Finished", text);
    if finished.recovered > 0 {
        let datums = report::count(finished.recovered, "datum");
        report::warning(format!(
            "{datums} of {name} failed and err_cmd recovered: without output"
        ));
    }
    if finished.processed == 0 && finished.skipped > 0 {
        report::warning(format!(
            "no datum of {name} has changed, so none was processed again; \
             --reprocess={name} does"
        ));
    }
}
